"""Which language a visitor reads."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from insights.profiles.browser import last_said


async def language(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> str | None:
    """The language tag that the visitor's browser named last, such as de-AT; a browser may send anything."""
    name = await last_said(tx, project_id, visitor_id, "language")
    return name[:35] if name is not None else None
