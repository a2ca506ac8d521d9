"""What a visitor's browser says of itself."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import Session


async def last_said(
    tx: AsyncSession, project_id: UUID, visitor_id: UUID, what: Literal["language", "time_zone"]
) -> str | None:
    """What it said last, in whichever visit; a browser may send anything."""
    said = Session.client[what].astext
    name: str | None = await tx.scalar(
        select(said)
        .where(Session.project_id == project_id, Session.visitor_id == visitor_id, said.is_not(None))
        .order_by(Session.id.desc())
        .limit(1)
    )
    return name
