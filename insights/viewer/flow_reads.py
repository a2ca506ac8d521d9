"""Reads what the pages show of flows."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Flow


async def flow_names(tx: AsyncSession, project_id: UUID) -> dict[str, str]:
    """Id → name of the project's flows, by name."""
    rows = await tx.execute(select(Flow.id, Flow.name).where(Flow.project_id == project_id).order_by(Flow.name))
    return {str(row.id): row.name for row in rows}
