"""What such a tool is told of a customer.

Content, by ``do``: event {event, properties, at, value_minor, currency}; profile {properties}; quiet {until, reason}:
nothing is to be planned for them before that time; suppress and resume: all marketing ends, or may go on; tag {set,
remove}. Beside each: email, phone, user_id of the customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from adapters.channels.contract import SendIntent
from adapters.channels.http_channel import ContentInvalid, text_of
from adapters.channels.phone import PhoneInvalid, e164

QUIET: Final = "whyleft_quiet_until"
"""The property that the tool's own flows are filtered by."""
MOST_PROPERTIES: Final = 100


@dataclass(frozen=True, slots=True)
class Customer:
    """ "" for what is not known."""

    email: str
    phone: str
    user_id: str


def wanted(intent: SendIntent, *known: str) -> str:
    """What is to be done. Raises ContentInvalid."""
    do = intent.content.get("do") or "event"
    if do not in known:
        raise ContentInvalid(f"do must be one of {', '.join(known)}.")
    return str(do)


def customer_of(intent: SendIntent) -> Customer:
    """Raises ContentInvalid where nobody is named."""
    content = intent.content
    phone = text_of(content, "phone", 60, required=False)
    try:
        phone = e164(phone) if phone else ""
    except PhoneInvalid:
        phone = ""
    email = text_of(content, "email", 320, required=False).strip().lower()
    found = Customer(email if "@" in email else "", phone, text_of(content, "user_id", 512, required=False).strip())
    if not (found.email or found.phone or found.user_id):
        raise ContentInvalid("Nothing is known that the tool could know them by: no e-mail, phone or user id.")
    return found


def properties_of(intent: SendIntent) -> dict[str, Any]:
    """Raises ContentInvalid."""
    given = intent.content.get("properties") or {}
    if not isinstance(given, Mapping) or len(given) > MOST_PROPERTIES:
        raise ContentInvalid(f"properties must be up to {MOST_PROPERTIES} names with their values.")
    return {str(name): value for name, value in given.items()}


def time_of(intent: SendIntent, name: str, otherwise: datetime) -> datetime:
    """Raises ContentInvalid."""
    given = intent.content.get(name)
    if given is None:
        return otherwise
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        raise ContentInvalid(f"{name} must be a time such as 2026-11-21T12:00:00+00:00.") from None
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)


def listed(intent: SendIntent, name: str) -> list[str]:
    """A list of short texts. Raises ContentInvalid."""
    given = intent.content.get(name) or []
    if not isinstance(given, list | tuple) or len(given) > 100:
        raise ContentInvalid(f"{name} must be a list.")
    return [str(one)[:255] for one in given]
