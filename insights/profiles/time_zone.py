"""What time it is where a visitor is."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import Session


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
