"""What Resend's webhooks report. Pure.

Reference: https://resend.com/docs/dashboard/webhooks/event-types and …/body-parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.channels.contract import EventKind, ProviderEvent
from adapters.channels.email_services.message import KEY_NAME
from adapters.channels.signed_calls import iso
from adapters.channels.verdict import short

_KINDS: Final[Mapping[str, EventKind]] = {
    "email.delivered": "delivered",
    "email.delivery_delayed": "deferred",
    "email.bounced": "bounced",
    "email.complained": "complained",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.failed": "rejected",
    "email.suppressed": "bounced",
}


def events(identifier: str, body: Any, now: datetime) -> list[ProviderEvent]:
    """The events of one verified webhook; what says nothing to us is left out."""
    data = body.get("data") if isinstance(body, Mapping) else None
    kind = _KINDS.get(str(body.get("type"))) if isinstance(body, Mapping) else None
    if kind is None or not isinstance(data, Mapping):
        return []
    bounce, click = _part(data, "bounce"), _part(data, "click")
    if kind == "bounced" and str(bounce.get("type", "Permanent")) not in ("Permanent", "permanent"):
        kind = "deferred" if str(bounce.get("type")) == "Transient" else "rejected"
    detail = click.get("link") or bounce.get("message")
    to = data.get("to")
    recipient = to[0] if isinstance(to, list) and to and isinstance(to[0], str) else None
    at = iso(body.get("created_at")) or now
    return [
        ProviderEvent(
            id=identifier,
            kind=kind,
            at=at,
            key=_tag(data.get("tags")),
            provider_id=data["email_id"] if isinstance(data.get("email_id"), str) else None,
            recipient=recipient,
            detail=short(detail) if detail else None,
        )
    ]


def _part(data: Mapping[str, object], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def _tag(tags: object) -> str | None:
    if isinstance(tags, Mapping):
        found = tags.get(KEY_NAME)
    elif isinstance(tags, list):
        found = next(
            (tag.get("value") for tag in tags if isinstance(tag, Mapping) and tag.get("name") == KEY_NAME), None
        )
    else:
        found = None
    return found if isinstance(found, str) else None
