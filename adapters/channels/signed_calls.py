"""Proves who called: the signature schemes that several providers share. Pure; a wrong one raises CallbackRefused.

Every comparison takes the same time wherever the difference lies.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from adapters.channels.contract import Callback, CallbackRefused

TOLERANCE: Final = timedelta(minutes=5)
"""A signed time further from now than this is a copy that somebody kept."""


def fresh(at: datetime | None, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Raises CallbackRefused for a time too far from now, or none."""
    if at is None or abs(now - at) > tolerance:
        raise CallbackRefused(f"The signed time is more than {int(tolerance.total_seconds() // 60)} minutes off.")


def standard_webhook(call: Callback, secret: str, *, prefix: str = "webhook") -> str:
    """The id of a call signed by the Standard Webhooks scheme (Svix: prefix "svix"). Raises CallbackRefused."""
    identifier = call.headers.get(f"{prefix}-id", "")
    stamp = call.headers.get(f"{prefix}-timestamp", "")
    fresh(seconds(stamp), call.at)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        raise CallbackRefused("The signing secret is not whsec_ and base64: copy it again.") from None
    expected = base64.b64encode(hmac.digest(key, f"{identifier}.{stamp}.".encode() + call.raw, hashlib.sha256))
    given = call.headers.get(f"{prefix}-signature", "").split()
    good = [version for version, _, text in (part.partition(",") for part in given) if version == "v1" and text]
    matches = [hmac.compare_digest(part[3:].encode(errors="replace"), expected) for part in given if part[:3] == "v1,"]
    if not identifier or not good or not any(matches):
        raise CallbackRefused(f"{prefix}-signature does not belong to this body and secret.")
    return identifier


def ecdsa(call: Callback, public_key: str, signature: str, signed: bytes) -> None:
    """Raises CallbackRefused unless ``signature`` (base64, DER) over ``signed`` is ``public_key``'s (base64, DER)."""
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
        if not isinstance(key, EllipticCurvePublicKey):
            raise CallbackRefused("The verification key is not an elliptic-curve key: copy it again.")
        key.verify(base64.b64decode(signature, validate=True), signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError, binascii.Error):
        raise CallbackRefused("The signature does not belong to this body and verification key.") from None


def basic(call: Callback, user: str, password: str) -> None:
    """Raises CallbackRefused unless the call carries this user and password (RFC 7617)."""
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(f"{user}:{password}".encode())
    if scheme.lower() != "basic" or not hmac.compare_digest(given.strip().encode(errors="replace"), expected):
        raise CallbackRefused("User and password are not those of this channel.")


def seconds(text: str) -> datetime | None:
    """Epoch seconds as a time."""
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        return None
    return datetime.fromtimestamp(int(text), UTC)


def iso(text: object) -> datetime | None:
    """ISO 8601 as a time; without a zone it is UTC. Fractions of any length are read."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    head, dot, rest = text.strip().partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def body_of(call: Callback) -> Any:
    """The call's JSON. Raises CallbackRefused."""
    try:
        return json.loads(call.raw)
    except (ValueError, RecursionError):
        raise CallbackRefused("The body is not JSON.") from None
