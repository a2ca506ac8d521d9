"""Which language a visitor reads."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import Session


async def language(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> str | None:
    """The language tag that the visitor's browser named last, such as de-AT; a browser may send anything."""
    name = await tx.scalar(
        select(Session.client["language"].astext)
        .where(
            Session.project_id == project_id,
            Session.visitor_id == visitor_id,
            Session.client["language"].astext.is_not(None),
        )
        .order_by(Session.id.desc())
        .limit(1)
    )
    return name[:35] if name is not None else None
