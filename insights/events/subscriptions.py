"""Push subscriptions as the browser's SDK or an app tells them: read, checked, kept.

A write key stands in every page, so anybody can tell any address: only those of the known push services are believed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.events.people import Said
from insights.models import PushSubscription

TRAITS: Final = ("push_subscription", "push_token")
"""Traits that are kept here instead of with the visitor."""
SERVICES: Final = (
    "fcm.googleapis.com",
    ".push.services.mozilla.com",
    ".notify.windows.com",
    ".push.apple.com",
)
MOST_ADDRESS: Final = 1_500
MOST_OF_A_VISITOR: Final = 5
"""The newest count; more are told by somebody who makes them up."""


@dataclass(frozen=True, slots=True)
class Told:
    """A subscription as it was told. ``id`` stands for the address."""

    id: UUID
    kind: str
    address: str
    p256dh: str | None = None
    auth: str | None = None


def told_in(traits: object) -> Told | None:
    """The subscription in an identification's traits; None where there is none that could be written to."""
    if not isinstance(traits, Mapping):
        return None
    found, token = traits.get("push_subscription"), traits.get("push_token")
    if isinstance(found, Mapping):
        return _of_browser(found)
    if isinstance(token, str) and 20 <= len(token) <= MOST_ADDRESS and token.isascii() and token.isprintable():
        return Told(_id("app", token), "app", token)
    return None


def without_subscription(traits: Mapping[str, object]) -> dict[str, Any]:
    """Traits as they are kept with the visitor: an address to push to is no trait of a person."""
    return {name: value for name, value in traits.items() if name not in TRAITS}


async def write_subscriptions(tx: AsyncSession, project_id: UUID, said: Iterable[Said]) -> None:
    """Keeps the subscriptions that were told; of each address the visitor who told it last."""
    told: dict[UUID, tuple[Said, Told]] = {}
    for one in sorted(said, key=lambda one: (one.at, one.event.id)):
        found = told_in(one.event.props.get("traits")) if one.event.type == "identified" else None
        if found is not None:
            told[found.id] = (one, found)
    for one, found in sorted(told.values(), key=lambda pair: pair[1].id):
        newest = (
            select(PushSubscription.id)
            .where(PushSubscription.project_id == project_id, PushSubscription.visitor_id == one.visitor_id)
            .order_by(PushSubscription.told_at.desc())
        )
        for gone in (await tx.scalars(newest.offset(MOST_OF_A_VISITOR - 1))).all():
            if gone != found.id:
                await tx.delete(await tx.get_one(PushSubscription, (project_id, gone)))
        row = {
            "visitor_id": one.visitor_id,
            "kind": found.kind,
            "address": found.address,
            "p256dh": found.p256dh,
            "auth": found.auth,
            "told_at": one.at,
        }
        await tx.execute(
            upsert(PushSubscription)
            .values(project_id=project_id, id=found.id, **row)
            .on_conflict_do_update(
                index_elements=["project_id", "id"], set_=row, where=PushSubscription.told_at <= one.at
            )
        )


def _of_browser(found: Mapping[str, object]) -> Told | None:
    endpoint, keys = found.get("endpoint"), found.get("keys")
    if not isinstance(endpoint, str) or len(endpoint) > MOST_ADDRESS or not isinstance(keys, Mapping):
        return None
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    known = any(host.endswith(name) if name.startswith(".") else host == name for name in SERVICES)
    if parts.scheme != "https" or not known or port not in (None, 443) or parts.username is not None:
        return None
    p256dh, auth = _key(keys.get("p256dh"), 65), _key(keys.get("auth"), 16)
    if p256dh is None or auth is None or not endpoint.isascii() or not endpoint.isprintable():
        return None
    return Told(_id("web", endpoint), "web", endpoint, p256dh, auth)


def _key(text: object, size: int) -> str | None:
    if not isinstance(text, str) or len(text) > 2 * size:
        return None
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return text if len(raw) == size else None


def _id(kind: str, address: str) -> UUID:
    return UUID(bytes=hashlib.sha256(f"{kind} {address}".encode()).digest()[:16])
