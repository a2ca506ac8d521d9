"""What a customer of Shopify's chose about letters of the shop, as its two topics of consent tell it. Pure.

After the changelog of Shopify's API version 2025-01: from it on no other webhook tells of consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from insights.events.dialects.translation import Untranslatable, epoch_ms
from insights.vocabulary.ids import ms_to_datetime

_FIELDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "customers_email_marketing_consent/update": ("email", "email_address", "email_marketing_consent"),
    "customers_marketing_consent/update": ("sms", "phone", "sms_marketing_consent"),
}
"""Topic → channel, and the fields of the recipient and of what they chose."""

TOPICS: Final = frozenset(_FIELDS)
_LONGEST: Final = 320


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether ``recipient`` wants letters on ``channel`` (email or sms), as they said ``at``."""

    channel: str
    recipient: str
    wants: bool
    at: datetime


def wish_of(topic: str, document: object, received_ms: int) -> Wish | None:
    """What a webhook of one of the ``TOPICS`` says; None where nobody chose, or nobody can be reached."""
    channel, to, said = _FIELDS[topic]
    body = document if isinstance(document, dict) else {}
    recipient, consent = body.get(to), body.get(said)
    if not isinstance(consent, dict) or consent.get("state") not in ("subscribed", "unsubscribed"):
        return None
    if not isinstance(recipient, str) or not 0 < len(recipient.strip()) <= _LONGEST or not recipient.isprintable():
        return None
    try:
        at = ms_to_datetime(min(epoch_ms(consent.get("consent_updated_at"), "consent_updated_at"), received_ms))
    except (Untranslatable, OverflowError, ValueError):
        at = ms_to_datetime(received_ms)
    return Wish(channel, recipient.strip(), consent["state"] == "subscribed", at)
