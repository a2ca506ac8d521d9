"""Who may be reached: what the send gate asks of a visitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from insights.conditions.consent import ADS, consents
from insights.conditions.fields import CHANNELS
from insights.identity.contact import read_contact
from insights.identity.together import person_of
from insights.profiles.time_zone import time_zone


class VisitorFacts:
    """What the send gate may know of a visitor as they are now.

    {"visitor": {"email": bool, "phone": bool, "known": bool, "time_zone": name or None},
    "person": {"id": UUID, "devices": [UUID]},
    "consent": {"email": bool, "sms": bool, …}}; a visitor nobody has heard of has and allows nothing.
    """

    async def facts(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> Mapping[str, Any]:
        person = await person_of(tx, project_id, visitor_id)
        visitor = await read_contact(tx, project_id, visitor_id, person)
        consent = visitor.consent if visitor is not None else {}
        return {
            "visitor": {
                "email": visitor is not None and bool(visitor.email),
                "phone": visitor is not None and bool(visitor.phone),
                "known": visitor is not None and bool(visitor.user_id),
                "time_zone": await time_zone(tx, project_id, visitor_id),
            },
            "person": {"id": person[0], "devices": list(person)},
            "consent": {channel: consents(consent, channel) for channel in (*CHANNELS, ADS)},
        }
