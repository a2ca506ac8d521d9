"""What time it is where a visitor is."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from insights.profiles.browser import last_said


async def time_zone(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> str | None:
    """The zone that the visitor's browser named last, if there is such a zone."""
    name = await last_said(tx, project_id, visitor_id, "time_zone")
    return name if name is not None and zone(name) is not None else None


def zone(name: str) -> ZoneInfo | None:
    """The zone of that name; a browser may send anything."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
