"""What becomes of the runs of visitors who turn out to be one person.

Everything here happens inside the caller's transaction, which holds the visitors' locks.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import FlowSettings
from flows.deliveries import OPEN_STATUSES
from flows.models import Conversion, Delivery, FlowRun
from flows.starting import definition_of
from flows.triggers import UNFINISHED, end_runs

_Run = Row[UUID, UUID, UUID, UUID, str, str, datetime, bool, datetime, bool]


async def join_runs(tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID], now: datetime) -> int:
    """Visitors turned out to be one person: cancels the unfinished runs that would not be there had it been known.

    Those are runs that end on an order which another of them placed; and, unless their flow always lets another one
    begin, all runs of a flow but the first, and those that began while who was reached on another device would not
    have come in again. Returns how many.
    """
    order = (
        await tx.execute(
            select(Conversion.key, Conversion.occurred_at)
            .where(Conversion.project_id == project_id, Conversion.visitor_id.in_(visitor_ids))
            .order_by(Conversion.occurred_at.desc(), Conversion.key)
            .limit(1)
        )
    ).one_or_none()
    runs = await _runs(tx, project_id, visitor_ids)
    bought: list[UUID] = []
    again: list[UUID] = []
    stay: set[UUID] = set()
    for run in (run for run in runs if run.status in UNFINISHED):
        if order is not None and run.exit_on_conversion and run.triggered_at <= order.occurred_at:
            bought.append(run.id)
            continue
        settings = (await definition_of(tx, project_id, run.version_id)).settings
        if settings.reenter != "always" and (run.flow_id in stay or _was_reached(run, runs, settings)):
            again.append(run.id)
        else:
            stay.add(run.flow_id)
    cancelled = 0
    if order is not None and bought:
        cancelled += await end_runs(tx, project_id, bought, f"converted: order {order.key:.80}", now)
    if again:
        cancelled += await end_runs(tx, project_id, again, "reentry: on another device", now)
    return cancelled


def _was_reached(run: _Run, runs: Collection[_Run], settings: FlowSettings) -> bool:
    """Whether the flow had reached them on another device when the run began, so lately that it would not have."""
    return any(
        one.flow_id == run.flow_id
        and one.visitor_id != run.visitor_id
        and one.trigger_group != run.trigger_group
        and one.reached
        and one.started_at < run.started_at
        and (settings.reenter == "once" or one.started_at > run.started_at - settings.reentry)
        for one in runs
    )


async def _runs(tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID]) -> list[_Run]:
    """The runs of these visitors that are unfinished or reached somebody, in the order of what triggered them."""
    reached = (
        select(Delivery.id)
        .where(
            Delivery.project_id == project_id,
            Delivery.run_id == FlowRun.id,
            Delivery.status.in_(["accepted", "unknown", *OPEN_STATUSES]),
        )
        .exists()
    )
    found = await tx.execute(
        select(
            FlowRun.id,
            FlowRun.flow_id,
            FlowRun.version_id,
            FlowRun.visitor_id,
            FlowRun.trigger_group,
            FlowRun.status,
            FlowRun.triggered_at,
            FlowRun.exit_on_conversion,
            FlowRun.started_at,
            reached.label("reached"),
        )
        .where(FlowRun.project_id == project_id, FlowRun.visitor_id.in_(visitor_ids))
        .where(FlowRun.status.in_(UNFINISHED) | reached)
        .order_by(FlowRun.triggered_at, FlowRun.id)
    )
    return list(found.all())
