"""Reads what has been sent so far: by a run, with what was heard of it, or under a key, whoever sent it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.deliveries import OPEN_STATUSES
from flows.delivery_facts import SentStep
from flows.models import Delivery, DeliveryEvent, FlowRun, RunEvent


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


async def sends_over(tx: AsyncSession, project_id: UUID, run_id: UUID, step_id: str) -> int:
    """How many messages of a run's step are over: one that is tried again is not, and a loop comes back for another."""
    found: int | None = await tx.scalar(
        select(func.count())
        .select_from(Delivery)
        .where(
            Delivery.project_id == project_id,
            Delivery.run_id == run_id,
            Delivery.step == step_id,
            Delivery.status.not_in(OPEN_STATUSES),
        )
    )
    return found or 0


async def times_done(tx: AsyncSession, project_id: UUID, run_id: UUID, step_id: str) -> int:
    """How often a run's step did what it does without a message."""
    found: int | None = await tx.scalar(
        select(func.count())
        .select_from(RunEvent)
        .where(
            RunEvent.project_id == project_id,
            RunEvent.run_id == run_id,
            RunEvent.step == step_id,
            RunEvent.what == "done",
        )
    )
    return found or 0


async def sent_under(
    tx: AsyncSession, project_id: UUID, channel: str, key: str, *, but_by: UUID | None = None
) -> str | None:
    """The status of what went to a channel under this key; None for nothing, or for what the run ``but_by`` sent."""
    found = (
        await tx.execute(
            select(Delivery.status, Delivery.run_id).where(
                Delivery.project_id == project_id, Delivery.channel == channel, Delivery.dedupe_key == key
            )
        )
    ).one_or_none()
    return None if found is None or (but_by is not None and found.run_id == but_by) else str(found.status)
