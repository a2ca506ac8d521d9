"""What time it is where a visitor is."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.zones import zone
from insights.profiles.browser import last_said


async def time_zone(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> str | None:
    """The zone that the visitor's browser named last, by today's name, if there is such a zone."""
    found = zone(await last_said(tx, project_id, visitor_id, "time_zone"))
    return found.key if found is not None else None
