"""Who may be reached: what a visitor agreed to, whether there is an address, and what time it is where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.identity.contact import read_contact
from insights.identity.together import person_of
from insights.models import Session

CONSENT_CHANNELS: Final = ("email", "sms", "push", "onsite")


class VisitorFacts:
    """What conditions and the send gate may know of a visitor as they are now.

    {"visitor": {"email": bool, "phone": bool, "known": bool, "time_zone": name or None},
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
            "consent": {channel: consents(consent, channel) for channel in CONSENT_CHANNELS},
        }


def consents(consent: Mapping[str, Any], channel: str) -> bool:
    """Whether marketing was agreed to, for this channel too where channels were named. Silence is a no."""
    if consent.get("marketing") is not True:
        return False
    channels = consent.get("channels")
    return channels is None or (isinstance(channels, list) and channel in channels)


async def time_zone(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> str | None:
    """The zone that the visitor's browser named last, if there is such a zone."""
    name = await tx.scalar(
        select(Session.client["time_zone"].astext)
        .where(
            Session.project_id == project_id,
            Session.visitor_id == visitor_id,
            Session.client["time_zone"].astext.is_not(None),
        )
        .order_by(Session.id.desc())
        .limit(1)
    )
    return name if name is not None and zone(name) is not None else None


def zone(name: str) -> ZoneInfo | None:
    """The zone of that name; a browser may send anything."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
