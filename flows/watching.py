"""What published flows, and runs under way, listen for: kept in a table, so that what nobody waits for costs nothing.

Everything here happens inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import (
    EventTrigger,
    FlowDefinition,
    Goal,
    ScheduleTrigger,
    SegmentTrigger,
    Wait,
)
from flows.models import Flow, FlowRun, FlowSchedule, FlowVersion, FlowWatch
from flows.schedule import Cron, next_interval
from flows.triggers import UNFINISHED

SEGMENT: Final = "segment"
"""The word of ``FlowWatch.event`` for who moves into or out of a segment; no type of event is called so."""

Word = tuple[str, str]


def starts_on(flow: FlowDefinition) -> Iterator[Word]:
    """The words that start a run."""
    match flow.trigger:
        case EventTrigger(event=event, name=name):
            yield event, name or ""
        case SegmentTrigger(segment=segment):
            yield SEGMENT, segment


def goes_on_with(flow: FlowDefinition) -> Iterator[Word]:
    """The words that wake a run under way, or end it."""
    for step in flow.steps.values():
        if isinstance(step, Wait) and step.event is not None:
            yield step.event.type, step.event.name or ""
    for goal in flow.settings.goals:
        yield _of_goal(goal)


def _of_goal(goal: Goal) -> Word:
    return (goal.event, goal.name or "") if goal.event is not None else (SEGMENT, goal.segment or "")


def next_turn(trigger: ScheduleTrigger, after: datetime) -> datetime:
    """When a schedule is due next after a moment, in UTC."""
    if trigger.cron is not None:
        return Cron.parse(trigger.cron).next(after, ZoneInfo(trigger.zone))
    assert trigger.every is not None  # noqa: S101  (a definition has one of both)
    return next_interval(trigger.every, after)


def last_turn(trigger: ScheduleTrigger, due_at: datetime, now: datetime) -> datetime:
    """The last turn that was due by now, where one was at ``due_at``."""
    # Looked for from now backwards, ever further: of what is due each minute nobody counts the minutes of a week.
    back = timedelta(minutes=1)
    while now - back > due_at and next_turn(trigger, now - back) > now:
        back *= 2
    last = next_turn(trigger, now - back) if now - back > due_at else due_at
    while (later := next_turn(trigger, last)) <= now:
        last = later
    return last


async def listen(tx: AsyncSession, project_id: UUID, now: datetime) -> None:
    """Brings words and schedules of a project up to date with what is published and under way. Call it when a flow was
    published, paused or taken up again; a worker calls it every minute as well. Doing it again changes nothing."""
    wanted: set[tuple[UUID, str, str]] = set()
    scheduled: dict[UUID, tuple[UUID, ScheduleTrigger]] = {}
    under_way = (
        select(FlowRun.version_id)
        .where(FlowRun.project_id == project_id, FlowRun.status.in_(UNFINISHED))
        .where(FlowRun.version_id == FlowVersion.id)
        .exists()
    )
    rows = await tx.execute(
        select(Flow.id, FlowVersion.id, FlowVersion.definition, Flow.version_id == FlowVersion.id, under_way)
        .join(FlowVersion, (FlowVersion.project_id == Flow.project_id) & (FlowVersion.flow_id == Flow.id))
        .where(Flow.project_id == project_id)
    )
    for flow_id, version_id, body, live, running in rows:
        if not live and not running:
            continue
        flow = FlowDefinition.model_validate(body)
        words = set(goes_on_with(flow))
        if live:
            words |= set(starts_on(flow))
            if isinstance(flow.trigger, ScheduleTrigger):
                scheduled[flow_id] = version_id, flow.trigger
        wanted |= {(flow_id, event, name) for event, name in words}
    await _keep_words(tx, project_id, wanted)
    await _keep_schedules(tx, project_id, scheduled, now)


async def _keep_words(tx: AsyncSession, project_id: UUID, wanted: set[tuple[UUID, str, str]]) -> None:
    rows = await tx.scalars(select(FlowWatch).where(FlowWatch.project_id == project_id))
    known = {(row.flow_id, row.event, row.name): row for row in rows}
    for key in known.keys() - wanted:
        await tx.delete(known[key])
    new = [
        {"project_id": project_id, "flow_id": flow, "event": event, "name": name}
        for flow, event, name in sorted(wanted - known.keys())
    ]
    if new:
        await tx.execute(upsert(FlowWatch).values(new).on_conflict_do_nothing())


async def _keep_schedules(
    tx: AsyncSession, project_id: UUID, scheduled: dict[UUID, tuple[UUID, ScheduleTrigger]], now: datetime
) -> None:
    known = {
        row.id: row.version_id
        for row in await tx.execute(
            select(FlowSchedule.id, FlowSchedule.version_id).where(FlowSchedule.project_id == project_id)
        )
    }
    gone = known.keys() - scheduled.keys()
    if gone:
        await tx.execute(delete(FlowSchedule).where(FlowSchedule.project_id == project_id, FlowSchedule.id.in_(gone)))
    for flow_id, (version_id, trigger) in scheduled.items():
        if known.get(flow_id) == version_id:
            continue
        # A new version, or a flow that was taken up again: from now on, and nothing for the time before.
        row = {"version_id": version_id, "due_at": next_turn(trigger, now), "cursor": None, "lease_until": None}
        await tx.execute(
            upsert(FlowSchedule)
            .values(project_id=project_id, id=flow_id, **row)
            .on_conflict_do_update(index_elements=["project_id", "id"], set_=row)
        )
