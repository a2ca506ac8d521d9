"""How the person behind a visitor may be reached: what the visitor said, completed by their other devices.

The visitor's own word comes first: a mail about this visit goes where this visit was asked to send it. Consent is the
person's: what was said last on any of their devices holds on all, so that a no on the phone stops the laptop's mails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.identity.together import person_of
from insights.models import Visitor

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_OF_THE_PERSON: Final = ("marketing", "channels")


@dataclass(frozen=True, slots=True)
class Contact:
    """``consent`` is as in a consent_changed event; what was never said is missing. ``traits`` as identified."""

    user_id: str | None
    email: str | None
    phone: str | None
    consent: Mapping[str, Any]
    traits: Mapping[str, Any] = field(default_factory=dict)


async def read_contact(
    tx: AsyncSession, project_id: UUID, visitor_id: UUID, person: Sequence[UUID] | None = None
) -> Contact | None:
    """The contact of a visitor; None when neither they nor their other devices are stored.

    ``person``: all visitors of theirs, for who has read them already.
    """
    if person is None:
        person = await person_of(tx, project_id, visitor_id)
    rows = await tx.scalars(select(Visitor).where(Visitor.project_id == project_id, Visitor.id.in_(person)))
    return contact(visitor_id, rows.all())


def contact(visitor_id: UUID, visitors: Sequence[Visitor]) -> Contact | None:
    """The contact of ``visitor_id`` out of all visitors of the person; None when there are none."""
    if not visitors:
        return None
    told = sorted(
        visitors, key=lambda one: (one.id == visitor_id, one.identified_at or _LONG_AGO, one.id), reverse=True
    )
    own = next((one for one in visitors if one.id == visitor_id), None)
    consent = dict(own.consent) if own is not None else {}
    asked = [one for one in visitors if "marketing" in one.consent]
    if asked:
        last = max(asked, key=lambda one: (one.consented_at or _LONG_AGO, one.id)).consent
        consent = {name: value for name, value in consent.items() if name not in _OF_THE_PERSON}
        consent.update({name: last[name] for name in _OF_THE_PERSON if name in last})
    return Contact(
        user_id=next((one.user_id for one in told if one.user_id), None),
        email=next((one.email for one in told if one.email), None),
        phone=next((one.phone for one in told if one.phone), None),
        consent=consent,
        traits=next((one.traits for one in told if one.traits), {}),
    )
