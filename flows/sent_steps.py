"""Reads what a run has sent so far, and what was heard of it."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.delivery_facts import SentStep
from flows.models import Delivery, DeliveryEvent, FlowRun


async def sent_steps(tx: AsyncSession, run: FlowRun) -> list[SentStep]:
    """The run's messages, the earlier ones first."""
    heard = (
        select(func.array_agg(DeliveryEvent.kind))
        .where(DeliveryEvent.project_id == Delivery.project_id, DeliveryEvent.delivery_id == Delivery.id)
        .correlate(Delivery)
        .scalar_subquery()
    )
    rows = await tx.execute(
        select(Delivery.step, Delivery.status, heard)
        .where(Delivery.project_id == run.project_id, Delivery.run_id == run.id)
        .order_by(Delivery.created_at, Delivery.id)
    )
    return [SentStep(row[0], row[1], frozenset(row[2] or ())) for row in rows]
