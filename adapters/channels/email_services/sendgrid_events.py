"""What SendGrid's event webhook reports: a list of events a call. Pure.

Reference: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from adapters.channels.contract import EventKind, ProviderEvent
from adapters.channels.email_services.message import KEY_NAME
from adapters.channels.signed_calls import seconds
from adapters.channels.verdict import short

MOST_EVENTS: Final = 10_000
_KINDS: Final[Mapping[str, EventKind]] = {
    "delivered": "delivered",
    "deferred": "deferred",
    "bounce": "bounced",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
    "group_resubscribe": "resubscribed",
    "open": "opened",
    "click": "clicked",
}
# Why a message was dropped before it was tried: the first words of the reason, as the reference lists them.
_DROPPED: Final[Mapping[str, EventKind]] = {
    "bounced": "bounced",
    "invalid": "bounced",
    "spam reporting": "complained",
    "unsubscribed": "unsubscribed",
}


def events(body: object, now: datetime) -> list[ProviderEvent]:
    """The events of one verified call; what says nothing to us is left out."""
    found = (_event(item, now) for item in (body if isinstance(body, list) else [])[:MOST_EVENTS])
    return [event for event in found if event is not None]


def _event(item: object, now: datetime) -> ProviderEvent | None:
    if not isinstance(item, Mapping):
        return None
    kind = _kind(item)
    # A mail program that fetches every picture is nobody reading.
    if kind is None or item.get("sg_machine_open") is True:
        return None
    identifier = item.get("sg_event_id")
    if not isinstance(identifier, str) or not identifier:
        identifier = hashlib.sha256(repr(sorted(item.items(), key=str)).encode()).hexdigest()
    message = item.get("sg_message_id")
    detail = item.get("url") if kind == "clicked" else item.get("reason") or item.get("response")
    key = item.get(KEY_NAME)
    return ProviderEvent(
        id=identifier,
        kind=kind,
        at=seconds(str(item.get("timestamp"))) or now,
        key=key if isinstance(key, str) else None,
        # Behind the first dot stands which of their machines had it.
        provider_id=message.split(".")[0] if isinstance(message, str) else None,
        recipient=item["email"] if isinstance(item.get("email"), str) else None,
        detail=short(detail) if isinstance(detail, str) and detail else None,
    )


def _kind(item: Mapping[str, object]) -> EventKind | None:
    name = item.get("event")
    if name == "bounce" and item.get("type") == "blocked":
        return "rejected"
    if name == "dropped":
        reason = str(item.get("reason", "")).lower()
        return next((kind for words, kind in _DROPPED.items() if reason.startswith(words)), "rejected")
    return _KINDS.get(str(name))
