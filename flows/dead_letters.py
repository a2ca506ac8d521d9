"""Runs that were put aside because they failed again and again: listed, and put back to work by hand.

Everything here happens inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from flows.deliveries import OPEN_STATUSES, given_up
from flows.models import Delivery, Flow, FlowRun, RunEvent
from flows.triggers import wake

MOST_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeadRun:
    """A run that was put aside: where it stood, when and why."""

    id: UUID
    flow_id: UUID
    flow: str
    visitor_id: UUID
    step: str
    started_at: datetime
    died_at: datetime
    why: str


async def dead_runs(
    tx: AsyncSession,
    project_id: UUID,
    *,
    flow_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[DeadRun]:
    """The latest first; ``before``: those behind the run with this time of death and id."""
    query = (
        select(
            FlowRun.id,
            FlowRun.flow_id,
            Flow.name,
            FlowRun.visitor_id,
            FlowRun.step,
            FlowRun.started_at,
            FlowRun.ended_at,
            FlowRun.end_reason,
        )
        .join(Flow, (Flow.project_id == FlowRun.project_id) & (Flow.id == FlowRun.flow_id))
        .where(FlowRun.project_id == project_id, FlowRun.status == "dead")
        .order_by(FlowRun.ended_at.desc(), FlowRun.id.desc())
        .limit(limit)
    )
    if flow_id is not None:
        query = query.where(FlowRun.flow_id == flow_id)
    if before is not None:
        query = query.where(tuple_(FlowRun.ended_at, FlowRun.id) < before)
    rows = await tx.execute(query)
    return [DeadRun(*row[:6], died_at=row[6] or row[5], why=row[7] or "") for row in rows]


async def replay(
    tx: AsyncSession, project_id: UUID, now: datetime, *, run_id: UUID | None = None, flow_id: UUID | None = None
) -> int:
    """Puts dead runs back to work where they stood: one, those of a flow, or all; a thousand at most. How many.

    They are due since they died, so that what has become too late by now is skipped.
    """
    which: list[ColumnElement[bool]] = [FlowRun.project_id == project_id, FlowRun.status == "dead"]
    if run_id is not None:
        which.append(FlowRun.id == run_id)
    if flow_id is not None:
        which.append(FlowRun.flow_id == flow_id)
    chosen = select(FlowRun.id).where(*which).order_by(FlowRun.id).limit(MOST_AT_ONCE).with_for_update()
    under_way = (
        select(Delivery.id)
        .where(Delivery.project_id == project_id, Delivery.run_id == FlowRun.id, Delivery.status == "intent")
        .exists()
    )
    revived = list(
        await tx.scalars(
            update(FlowRun)
            .where(FlowRun.project_id == project_id, FlowRun.id.in_(chosen))
            .values(
                status=case((under_way, "sending"), else_="waiting"),
                due_at=func.coalesce(FlowRun.ended_at, now),
                lease_until=None,
                attempts=0,
                ended_at=None,
                end_reason=None,
            )
            .returning(FlowRun.id)
            .execution_options(synchronize_session=False)
        )
    )
    if revived:
        lines = [
            {"project_id": project_id, "run_id": one, "at": now, "step": None, "what": "replayed", "detail": ""}
            for one in revived
        ]
        await tx.execute(insert(RunEvent), lines)
        await wake(tx)
    return len(revived)


async def end_dead(tx: AsyncSession, project_id: UUID, run_ids: Collection[UUID], why: str, now: datetime) -> int:
    """Ends those of these runs that were put aside, and gives up what they had open; returns how many. The caller holds
    the locks of their visitors."""
    chosen = (
        select(FlowRun.id)
        .where(FlowRun.project_id == project_id, FlowRun.id.in_(run_ids), FlowRun.status == "dead")
        .order_by(FlowRun.id)
        .with_for_update()
    )
    ended = list(await tx.scalars(chosen))
    if not ended:
        return 0
    await tx.execute(
        update(FlowRun)
        .where(FlowRun.project_id == project_id, FlowRun.id.in_(ended))
        .values(status="cancelled", ended_at=now, end_reason=why)
        .execution_options(synchronize_session=False)
    )
    for status in OPEN_STATUSES:
        await tx.execute(
            update(Delivery)
            .where(Delivery.project_id == project_id, Delivery.run_id.in_(ended), Delivery.status == status)
            .values(status=given_up(status), error=f"Not tried again: {why}", decided_at=now)
            .execution_options(synchronize_session=False)
        )
    lines = [{"project_id": project_id, "run_id": one, "at": now, "what": "cancelled", "detail": why} for one in ended]
    await tx.execute(insert(RunEvent), lines)
    return len(ended)
