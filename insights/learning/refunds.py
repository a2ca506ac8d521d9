"""Reads what was given back of orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.learning.rewards import GivenBack, refund_of
from insights.models import Event


async def refunds_of(
    tx: AsyncSession, project_id: UUID, keys: Collection[str], since: datetime
) -> dict[str, list[GivenBack]]:
    """Key of an order → what was given back of it and received at ``since`` or later."""
    found: dict[str, list[GivenBack]] = defaultdict(list)
    if keys:
        told = await tx.execute(
            select(Event.id, Event.props).where(
                Event.project_id == project_id, Event.type == "refunded", Event.received_at >= since
            )
        )
        for row in told:
            if (refund := refund_of(row.props, str(row.id))) is not None and refund.order_key in keys:
                found[refund.order_key].append(refund)
    return found
