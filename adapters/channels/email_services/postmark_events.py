"""What Postmark's webhooks report: one record a call. Pure.

Reference: https://postmarkapp.com/developer/webhooks/webhooks-overview and the page of each record type.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from adapters.channels.contract import EventKind, ProviderEvent
from adapters.channels.email_services.message import KEY_NAME
from adapters.channels.signed_calls import iso
from adapters.channels.verdict import short

_KINDS: Final[Mapping[str, EventKind]] = {
    "Delivery": "delivered",
    "Bounce": "bounced",
    "SpamComplaint": "complained",
    "Open": "opened",
    "Click": "clicked",
    "SubscriptionChange": "unsubscribed",
}
# Types of bounce after which the address is dead; after the others it may live.
_DEAD: Final = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated", "AddressChange"})
_COMPLAINT: Final = frozenset({"SpamComplaint"})
_LATER: Final = frozenset({"Transient", "SoftBounce", "DnsError", "SMTPApiError"})


def events(body: object, now: datetime) -> list[ProviderEvent]:
    """The event of one verified call, or none."""
    if not isinstance(body, Mapping):
        return []
    record = str(body.get("RecordType"))
    kind = _KINDS.get(record)
    if kind is None:
        return []
    kind = _narrowed(kind, body)
    if kind is None:
        return []
    stamps = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
    stamp = next((str(body[name]) for name in stamps if body.get(name)), "")
    message = body.get("MessageID")
    metadata = body.get("Metadata")
    key = metadata.get(KEY_NAME) if isinstance(metadata, Mapping) else None
    recipient = body.get("Recipient") or body.get("Email")
    detail = body.get("OriginalLink") or body.get("Details") or body.get("Description")
    return [
        ProviderEvent(
            # Postmark numbers bounces alone; the rest is told apart by what it is, of which message, when and to whom.
            id=hashlib.sha256(repr((record, message, body.get("ID") or stamp, recipient)).encode()).hexdigest(),
            kind=kind,
            at=iso(stamp) or now,
            key=key if isinstance(key, str) else None,
            provider_id=message if isinstance(message, str) else None,
            recipient=recipient if isinstance(recipient, str) else None,
            detail=short(detail) if isinstance(detail, str) and detail else None,
        )
    ]


def _narrowed(kind: EventKind, body: Mapping[str, object]) -> EventKind | None:
    if kind == "bounced":
        name = str(body.get("Type"))
        if name in _COMPLAINT:
            return "complained"
        if name in _LATER:
            return "deferred"
        if name == "Unsubscribe":
            return "unsubscribed"
        if name == "Subscribe":
            return "resubscribed"
        return "bounced" if name in _DEAD or body.get("Inactive") is True else "rejected"
    if kind == "unsubscribed":
        if body.get("SuppressSending") is not True:
            return "resubscribed"
        return {"HardBounce": "bounced", "SpamComplaint": "complained"}.get(  # type: ignore[return-value]
            str(body.get("SuppressionReason")), "unsubscribed"
        )
    return kind
