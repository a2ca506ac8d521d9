"""Decides whether a webhook comes from who it says: each provider's own scheme, over the raw bytes. Pure.

Every comparison takes the same time wherever the difference lies.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

TOLERANCE_SECONDS: Final = 300.0
"""A signed time further from now than this is a copy that somebody kept."""

_LONGEST_ID: Final = 200


class SignatureWrong(Exception):
    """It is not signed with this source's secret, or too long ago; the text says which."""


@dataclass(frozen=True, slots=True)
class Genuine:
    """A webhook whose sender is proved. ``id`` is the same for each copy of it."""

    id: str
    topic: str


def verify(provider: str, secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Genuine:
    """``headers`` by lower-case names. Raises SignatureWrong."""
    storable = {name: value.encode(errors="replace").decode() for name, value in headers.items()}
    genuine = _SCHEMES[provider](secret, storable, body, now)
    return Genuine(_bounded(genuine.id), genuine.topic[:_LONGEST_ID])


def _shopify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Genuine:
    expected = hmac.digest(secret.encode(), body, hashlib.sha256)
    try:
        given = base64.b64decode(headers.get("x-shopify-hmac-sha256", ""), validate=True)
    except (ValueError, binascii.Error):
        given = b""
    if not hmac.compare_digest(expected, given):
        raise SignatureWrong("x-shopify-hmac-sha256 does not belong to this body and secret")
    return Genuine(headers.get("x-shopify-webhook-id") or _fingerprint(body), headers.get("x-shopify-topic", ""))


def _klaviyo(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Genuine:
    sent = headers.get("klaviyo-timestamp", "")
    expected = hmac.digest(secret.encode(), body + sent.encode(), hashlib.sha256).hex()
    given = headers.get("klaviyo-signature", "").strip().lower()
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise SignatureWrong("klaviyo-signature does not belong to this body, time and secret")
    # Both are signed. In a webhook that a receiver published, the header was five hours ahead of the body's own time.
    times = (_time(sent), _time(_told_at(body)))
    if not any(at is not None and abs((now - at).total_seconds()) <= TOLERANCE_SECONDS for at in times):
        raise SignatureWrong("klaviyo-timestamp is more than five minutes away from now")
    # klaviyo-webhook-id names the subscription, not this one message.
    return Genuine(_fingerprint(body), "events")


def _told_at(body: bytes) -> str:
    try:
        told = json.loads(body)["meta"]["timestamp"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return told if isinstance(told, str) else ""


def _braze(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Genuine:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(secret.encode(), given.strip().encode()):
        raise SignatureWrong("authorization is not Bearer and this source's secret")
    return Genuine(_fingerprint(body), "currents")


def _generic(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Genuine:
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        raise SignatureWrong(f"{str(error)[:1].lower()}{str(error)[1:]}") from None
    except (ValueError, binascii.Error):
        raise SignatureWrong("webhook-signature cannot be read") from None
    return Genuine(headers["webhook-id"], "")


_SCHEMES: Final[Mapping[str, Callable[[str, Mapping[str, str], bytes, datetime], Genuine]]] = {
    "shopify": _shopify,
    "klaviyo": _klaviyo,
    "braze": _braze,
    "generic": _generic,
}


def _fingerprint(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _bounded(identifier: str) -> str:
    # A header of any length and any characters becomes a key that the database can hold.
    plain = identifier.isascii() and identifier.isprintable() and len(identifier) <= _LONGEST_ID
    return identifier if plain else hashlib.sha256(identifier.encode(errors="replace")).hexdigest()


def _time(said: str) -> datetime | None:
    """Epoch seconds or milliseconds, ISO 8601, or a date as HTTP has it (``Thu, 04 Jan 2024 18:05:25 GMT``), which is
    what Klaviyo sends."""
    try:
        if said.strip().replace(".", "", 1).isdecimal():
            number = float(said)
            return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        at = parsedate_to_datetime(said) if said[:1].isalpha() else datetime.fromisoformat(said.strip())
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
