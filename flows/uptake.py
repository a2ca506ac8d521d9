"""Sees to what happened: starts the runs it asks for, wakes those that wait for it, ends those whose goal it is.

Occurrences are leased and seen to in groups, each in one transaction; one that cannot be seen to is tried again later,
alone, so that it holds up nothing else. Schedules are seen to here as well: a page of their segment at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from adapters.postgres.faults import gone
from adapters.postgres.leases import Lease, Leases, lag
from adapters.telemetry.meters import Meters
from flows.dead_letters import end_dead
from flows.definition import Goal, ScheduleTrigger, Wait
from flows.engine import event_signal
from flows.matching import is_event
from flows.models import Flow, FlowOccurrence, FlowRun, FlowSchedule
from flows.occurrences import set_down
from flows.ports import Knowledge, People, Scene, Trigger
from flows.starting import definition_of, is_asked_for, start_runs
from flows.triggers import UNFINISHED, end_runs, wake
from flows.watching import last_turn, next_turn

log = structlog.get_logger()

BATCH: Final = 200
GROUP: Final = 50
PAGE: Final = 500
"""Members of a segment for whom runs are set down in one transaction."""
FIRST_RETRY: Final = timedelta(seconds=5)
MOST_DOUBLINGS: Final = 10
EVERY: Final = 0.25
"""Seconds between two looks when there was nothing to do: nobody is told of a new occurrence, as the notification would
be paid for by the request that stores an event."""


class Uptake:
    """Sees to the occurrences and schedules of every project."""

    def __init__(
        self,
        database: Database,
        *,
        knowledge: Knowledge,
        people: People,
        scene: Scene,
        clock: Callable[[], datetime],
        lease: timedelta = timedelta(seconds=60),
        meters: Meters | None = None,
    ) -> None:
        self._database = database
        self._knowledge = knowledge
        self._people = people
        self._scene = scene
        self._clock = clock
        self._lease = lease
        self._meters = meters or Meters()
        self._occurrences = Leases(database, "flow_occurrence")
        self._schedules = Leases(database, "flow_schedule")

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set. What was claimed and not seen to by then is left to others at once."""
        try:
            while not stop.is_set():
                try:
                    while await self.see_to_due(stop) and not stop.is_set():
                        pass
                except (SQLAlchemyError, OSError) as error:
                    log.warning("uptake_paused", error=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), EVERY)
        finally:
            with contextlib.suppress(SQLAlchemyError, OSError):
                await self._occurrences.free()
                await self._schedules.free()

    async def see_to_due(self, stop: asyncio.Event | None = None) -> int:
        """Claims one batch of occurrences and schedules and sees to them; returns how many there were."""
        now = self._clock()
        schedules = await self._schedules.claim(now, now + self._lease, GROUP)
        for lease in schedules:
            await self._carry_on(lease)
        leases = await self._occurrences.claim(now, now + self._lease, BATCH)
        self._meters.lag_seconds.labels("occurrences").set(lag(leases, now))
        projects: dict[UUID, list[Lease]] = {}
        for lease in leases:
            projects.setdefault(lease.project_id, []).append(lease)
        groups = [own[i : i + GROUP] for own in projects.values() for i in range(0, len(own), GROUP)]
        for group in groups:
            if stop is not None and stop.is_set():
                self._occurrences.give_back(group)
                continue
            await self._see_to(group)
        return len(leases) + len(schedules)

    async def _see_to(self, leases: Sequence[Lease]) -> None:
        project_id = leases[0].project_id
        try:
            async with self._database.transaction(project_id) as tx:
                await self._write(tx, project_id, leases)
        except Exception as error:
            if gone(error):
                self._occurrences.give_back(leases)
                raise
            if len(leases) > 1:
                for lease in leases:
                    await self._see_to([lease])
                return
            log.error("occurrence_failed", occurrence=str(leases[0].id), error=type(error).__name__)
            await self._put_back(leases[0])

    async def _write(self, tx: AsyncSession, project_id: UUID, leases: Sequence[Lease]) -> None:
        now = self._clock()
        tokens = {lease.id: lease.token for lease in leases}
        rows = await tx.scalars(
            select(FlowOccurrence)
            .where(FlowOccurrence.project_id == project_id, FlowOccurrence.id.in_(tokens))
            .order_by(FlowOccurrence.id)
            .with_for_update()
        )
        ours = [row for row in rows if row.lease_token == tokens[row.id]]
        if not ours:
            return
        triggers = [
            Trigger(row.kind, row.trigger_key, row.trigger_group, row.visitor_id, row.occurred_at, row.facts)
            for row in ours
        ]
        people = await self._people.hold(tx, project_id, {trigger.visitor_id for trigger in triggers})
        await self._go_on(tx, project_id, triggers, people, now)
        # Only what some flow asks for is worth knowing more of.
        asked = await is_asked_for(tx, project_id, triggers)
        told = [await self._scene.told(tx, project_id, trigger) for trigger in asked]
        await start_runs(tx, project_id, told, now, self._knowledge, same_person=people)
        await tx.execute(
            delete(FlowOccurrence).where(
                FlowOccurrence.project_id == project_id, FlowOccurrence.id.in_([row.id for row in ours])
            )
        )

    async def _go_on(
        self,
        tx: AsyncSession,
        project_id: UUID,
        triggers: Sequence[Trigger],
        people: Mapping[UUID, Sequence[UUID]],
        now: datetime,
    ) -> None:
        """Wakes and ends the runs, on whichever device, that these events and segments concern. A goal ends what was
        put aside as well: nobody may put it back to work afterwards."""
        telling = [trigger for trigger in triggers if trigger.kind in ("event", "segment")]
        devices = {one for trigger in telling for one in people.get(trigger.visitor_id, (trigger.visitor_id,))}
        if not devices:
            return
        rows = await tx.execute(
            select(
                FlowRun.id,
                FlowRun.visitor_id,
                FlowRun.version_id,
                FlowRun.step,
                FlowRun.signal,
                FlowRun.triggered_at,
            )
            .where(FlowRun.project_id == project_id, FlowRun.visitor_id.in_(devices))
            .where(FlowRun.status.in_([*UNFINISHED, "dead"]))
            .order_by(FlowRun.id)
        )
        runs = rows.all()
        woken: list[UUID] = []
        ending: dict[str, list[UUID]] = {}
        for run in runs:
            flow = await definition_of(tx, project_id, run.version_id)
            step = flow.steps.get(run.step)
            for trigger in telling:
                if run.visitor_id not in people.get(trigger.visitor_id, (trigger.visitor_id,)):
                    continue
                # What happened before it started it is no answer to it; the very event that did is none either.
                if trigger.occurred_at <= run.triggered_at:
                    continue
                reached = next((goal for goal in flow.settings.goals if _is_goal(goal, trigger)), None)
                if reached is not None:
                    ending.setdefault(f"goal: {reached.name or reached.event or reached.segment}", []).append(run.id)
                    break
                awaited = step.event if isinstance(step, Wait) else None
                if awaited is not None and run.signal == event_signal(awaited.type):
                    told = trigger.facts.get("event")
                    if isinstance(told, Mapping) and is_event(awaited.type, awaited.name, awaited.props, told):
                        woken.append(run.id)
                        break
        for why, ids in ending.items():
            await end_runs(tx, project_id, ids, why, now)
            await end_dead(tx, project_id, ids, why, now)
        if woken:
            await tx.execute(
                update(FlowRun)
                .where(FlowRun.project_id == project_id, FlowRun.id.in_(woken), FlowRun.status == "waiting")
                .values(signalled=True, due_at=now, signal=None, signal_key=None)
            )
            await wake(tx)

    async def _put_back(self, lease: Lease) -> None:
        again = self._clock() + FIRST_RETRY * 2 ** min(lease.token - 1, MOST_DOUBLINGS)
        with contextlib.suppress(SQLAlchemyError, OSError):
            async with self._database.transaction(lease.project_id) as tx:
                await tx.execute(
                    update(FlowOccurrence)
                    .where(
                        FlowOccurrence.project_id == lease.project_id,
                        FlowOccurrence.id == lease.id,
                        FlowOccurrence.lease_token == lease.token,
                    )
                    .values(lease_until=None, due_at=again)
                )

    async def _carry_on(self, lease: Lease) -> None:
        """Sets down the next page of a schedule's turn; after the last one, the next turn is due."""
        project_id = lease.project_id
        try:
            async with self._database.transaction(project_id) as tx:
                await self._set_down_page(tx, lease)
        except Exception as error:
            if gone(error):
                self._schedules.give_back([lease])
                raise
            # Its lease runs out by itself: the other schedules are not held up.
            log.error("schedule_failed", flow=str(lease.id), error=type(error).__name__)

    async def _set_down_page(self, tx: AsyncSession, lease: Lease) -> None:
        now, project_id = self._clock(), lease.project_id
        row = await tx.get(FlowSchedule, (project_id, lease.id), with_for_update=True)
        if row is None or row.lease_token != lease.token:
            return
        live = await tx.scalar(select(Flow.version_id).where(Flow.project_id == project_id, Flow.id == lease.id))
        flow = await definition_of(tx, project_id, row.version_id) if live == row.version_id else None
        if flow is None or not isinstance(flow.trigger, ScheduleTrigger):
            await tx.delete(row)
            return
        row.lease_until = None
        if row.cursor is None:
            # Turns that were missed while nobody worked are not made up for: the last one is enough.
            row.due_at = last_turn(flow.trigger, row.due_at, now)
        if now - row.due_at <= flow.settings.max_trigger_age:
            members = await self._people.in_segment(tx, project_id, flow.trigger.segment, row.cursor, PAGE)
            await set_down(tx, project_id, [_turn(lease.id, row.due_at, one) for one in members], now)
            if len(members) == PAGE:
                row.cursor = members[-1]
                return
        row.cursor, row.due_at = None, next_turn(flow.trigger, max(now, row.due_at))


def _turn(flow_id: UUID, due_at: datetime, visitor_id: UUID) -> Trigger:
    key = f"schedule:{flow_id}:{due_at.isoformat()}:{visitor_id}"
    return Trigger("schedule", key, key, visitor_id, due_at, {"schedule": {"flow": str(flow_id)}})


def _is_goal(goal: Goal, trigger: Trigger) -> bool:
    told = trigger.facts.get(trigger.kind)
    if not isinstance(told, Mapping):
        return False
    if goal.event is None:
        return trigger.kind == "segment" and told.get("name") == goal.segment and told.get("change") == "entered"
    return trigger.kind == "event" and is_event(goal.event, goal.name, goal.props, told)
