"""What starts, stops and wakes runs. Everything here happens inside the caller's transaction.

Locks are taken in one order everywhere (session, visitor, run), so that nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, ColumnElement, Text, cast, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions._old import explain
from flows.definition import FlowDefinition, TriggerRule
from flows.deliveries import OPEN_STATUSES, given_up
from flows.models import Conversion, Delivery, Flow, FlowRun, FlowSignal, FlowVersion, RunEvent
from flows.ports import Trigger

WAKE_CHANNEL = "flow_run"
UNFINISHED = ("waiting", "sending")


async def lock_visitor(tx: AsyncSession, visitor_id: UUID) -> None:
    """Until the transaction ends, nobody else starts or cancels runs of this visitor."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(visitor_id), 0))))


async def lock_visitors(tx: AsyncSession, visitor_ids: Collection[UUID]) -> None:
    """As ``lock_visitor``, for several: the smallest id first, so that nobody waits in a circle."""
    names = func.unnest(cast([str(visitor_id) for visitor_id in sorted(visitor_ids)], ARRAY(Text))).column_valued()
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(names, 0))))


async def wake(tx: AsyncSession) -> None:
    """Tells the runners, once this transaction is committed, that a run is due."""
    await tx.execute(select(func.pg_notify(WAKE_CHANNEL, "")))


async def start_runs(
    tx: AsyncSession, project_id: UUID, trigger: Trigger, now: datetime, *, same_person: Collection[UUID] = ()
) -> list[UUID]:
    """Starts a run of each published flow that the trigger matches; returns the new runs.

    A flow starts at most one run per trigger key, and in a trigger group none after one that is unfinished, came to its
    end or reached somebody: a run that was cancelled in time makes room for the next. A visitor who bought at or after
    ``trigger.occurred_at``, a trigger that is too old and a visitor whose last run of this flow is too recent start a
    run that is over at once and says so, once a group: nothing is skipped in silence. ``same_person`` are the visitor's
    other devices, whose locks the caller holds: orders and runs there count too.
    """
    rows = await tx.execute(
        select(Flow.id, FlowVersion.id, FlowVersion.definition)
        .join(FlowVersion, (FlowVersion.project_id == Flow.project_id) & (FlowVersion.id == Flow.version_id))
        .where(Flow.project_id == project_id)
        .order_by(Flow.id)
    )
    matching = [
        (flow_id, version_id, definition)
        for flow_id, version_id, body in rows
        if matches((definition := FlowDefinition.model_validate(body)).trigger, trigger)
    ]
    if not matching:
        return []
    await lock_visitor(tx, trigger.visitor_id)
    people = {trigger.visitor_id, *same_person}
    started: list[UUID] = []
    for flow_id, version_id, definition in matching:
        before = await _runs_of_group(tx, project_id, flow_id, trigger.group)
        if (standing := next((run for run in before if run.stands), None)) is not None:
            await note(tx, project_id, standing.id, now, None, "asked_again", "another trigger of the same group")
            continue
        refusal = await _refusal(tx, project_id, flow_id, definition, trigger, people, now)
        if refusal is not None and any(run.end_reason == refusal for run in before):
            continue
        run_id = await _insert_run(tx, project_id, flow_id, version_id, definition, trigger, refusal, now)
        if run_id is None:
            continue
        detail = definition.name if refusal is None else f"{definition.name}: {refusal}"
        await note(tx, project_id, run_id, now, None, "started" if refusal is None else "not_started", detail)
        if refusal is None:
            started.append(run_id)
    if started:
        await wake(tx)
    return started


def matches(rule: TriggerRule, trigger: Trigger) -> bool:
    """Whether a rule asks for this trigger."""
    facts = trigger.facts.get(rule.on)
    if rule.on != trigger.kind or not isinstance(facts, dict):
        return False
    if rule.kind is not None and facts.get("kind") != rule.kind:
        return False
    if rule.reasons and facts.get("reason") not in rule.reasons:
        return False
    confidence = facts.get("confidence")
    if rule.min_confidence > 0 and not (isinstance(confidence, int | float) and confidence >= rule.min_confidence):
        return False
    return rule.when is None or explain(rule.when, trigger.facts) is None


async def cancel_group(tx: AsyncSession, project_id: UUID, group: str, why: str, now: datetime) -> int:
    """Cancels the unfinished runs of a trigger group; returns how many."""
    visitors = await tx.scalars(
        select(FlowRun.visitor_id)
        .where(FlowRun.project_id == project_id, FlowRun.trigger_group == group, FlowRun.status.in_(UNFINISHED))
        .distinct()
        .order_by(FlowRun.visitor_id)
    )
    # Before the runs: whoever supersedes an insight starts runs next, and that takes the visitor's lock.
    for visitor_id in visitors.all():
        await lock_visitor(tx, visitor_id)
    return await _cancel(tx, project_id, [FlowRun.trigger_group == group], why, now)


async def record_conversion(
    tx: AsyncSession,
    project_id: UUID,
    visitor_id: UUID,
    *,
    key: str,
    occurred_at: datetime,
    value_minor: int | None,
    currency: str | None,
    now: datetime,
    same_person: Collection[UUID] = (),
    group: str | None = None,
) -> int:
    """Stores that a visitor bought and cancels their unfinished runs that end on it; returns how many.

    ``same_person`` are the visitor's other devices: their runs end as well. What triggered a run after the purchase is
    another matter, unless it is of the trigger group ``group``: the visit that the purchase belongs to, which was
    thought to have ended without one. Whether a send goes out is decided by who commits first: the gate and this take
    the same locks.
    """
    people = {visitor_id, *same_person}
    await lock_visitors(tx, people)
    await tx.execute(
        upsert(Conversion)
        .values(
            project_id=project_id,
            key=key,
            visitor_id=visitor_id,
            occurred_at=occurred_at,
            value_minor=value_minor,
            currency=currency,
        )
        .on_conflict_do_nothing()
    )
    ending: list[ColumnElement[bool]] = [
        FlowRun.visitor_id.in_(people),
        FlowRun.exit_on_conversion.is_(True),
        (FlowRun.triggered_at <= occurred_at) | (FlowRun.trigger_group == group)
        if group is not None
        else FlowRun.triggered_at <= occurred_at,
    ]
    return await _cancel(tx, project_id, ending, f"converted: order {key:.80}", now)


async def join_runs(tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID], now: datetime) -> int:
    """Visitors turned out to be one person: cancels the unfinished runs that would not be there had it been known.

    Those are runs that end on an order which another of them placed, and all runs of a flow but the first. Returns how
    many. The caller holds the visitors' locks.
    """
    theirs = FlowRun.visitor_id.in_(visitor_ids)
    cancelled = 0
    order = (
        await tx.execute(
            select(Conversion.key, Conversion.occurred_at)
            .where(Conversion.project_id == project_id, Conversion.visitor_id.in_(visitor_ids))
            .order_by(Conversion.occurred_at.desc(), Conversion.key)
            .limit(1)
        )
    ).one_or_none()
    if order is not None:
        ending = [theirs, FlowRun.exit_on_conversion.is_(True), FlowRun.triggered_at <= order.occurred_at]
        cancelled += await _cancel(tx, project_id, ending, f"converted: order {order.key:.80}", now)
    unfinished = await tx.execute(
        select(FlowRun.flow_id, FlowRun.id)
        .where(FlowRun.project_id == project_id, theirs, FlowRun.status.in_(UNFINISHED))
        .order_by(FlowRun.triggered_at, FlowRun.id)
    )
    first: dict[UUID, UUID] = {}
    later = [run_id for flow_id, run_id in unfinished if first.setdefault(flow_id, run_id) != run_id]
    if later:
        cancelled += await _cancel(tx, project_id, [FlowRun.id.in_(later)], "reentry: on another device", now)
    return cancelled


async def signal(tx: AsyncSession, project_id: UUID, name: str, key: str, now: datetime) -> int:
    """Gives a signal: runs that wait for it go on, runs that come to wait for it later see it. Returns how many went
    on now."""
    # Serialises with a run that begins to wait for the same signal: one of the two sees the other.
    await lock_signal(tx, project_id, name, key)
    await tx.execute(
        upsert(FlowSignal)
        .values(project_id=project_id, name=name, key=key, at=now)
        .on_conflict_do_update(index_elements=["project_id", "name", "key"], set_={"at": now})
    )
    woken = await _lock_runs(
        tx, project_id, [FlowRun.signal == name, FlowRun.signal_key == key, FlowRun.status == "waiting"]
    )
    if woken:
        await tx.execute(
            update(FlowRun)
            .where(FlowRun.project_id == project_id, FlowRun.id.in_([run_id for run_id, _ in woken]))
            .values(signalled=True, due_at=now, signal=None, signal_key=None)
        )
        await wake(tx)
    return len(woken)


async def lock_signal(tx: AsyncSession, project_id: UUID, name: str, key: str) -> None:
    """Until the transaction ends, nobody else gives or begins to await this signal."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{project_id}/{name}/{key}", 1))))


async def signal_given_since(tx: AsyncSession, project_id: UUID, name: str, key: str, since: datetime) -> bool:
    """Whether this signal was given at or after ``since``."""
    at = await tx.scalar(
        select(FlowSignal.at).where(FlowSignal.project_id == project_id, FlowSignal.name == name, FlowSignal.key == key)
    )
    return at is not None and at >= since


async def converted_since(tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID], since: datetime) -> bool:
    """Whether any of these visitors bought at or after ``since``."""
    found = await tx.scalar(
        select(Conversion.key)
        .where(
            Conversion.project_id == project_id,
            Conversion.visitor_id.in_(visitor_ids),
            Conversion.occurred_at >= since,
        )
        .limit(1)
    )
    return found is not None


async def note(
    tx: AsyncSession, project_id: UUID, run_id: UUID, now: datetime, step: str | None, what: str, detail: str = ""
) -> None:
    """Adds one line to a run's history."""
    await tx.execute(
        insert(RunEvent).values(project_id=project_id, run_id=run_id, at=now, step=step, what=what, detail=detail)
    )


@dataclass(frozen=True, slots=True)
class _Before:
    """An earlier run of the same flow in the same trigger group."""

    id: UUID
    status: str
    end_reason: str | None
    reached: bool

    @property
    def stands(self) -> bool:
        """It leaves nothing to do for another one."""
        return self.reached or self.status == "done" or self.status in UNFINISHED


async def _runs_of_group(tx: AsyncSession, project_id: UUID, flow_id: UUID, group: str) -> list[_Before]:
    rows = await tx.execute(
        select(FlowRun.id, FlowRun.status, FlowRun.end_reason, _reached(project_id))
        .where(FlowRun.project_id == project_id, FlowRun.flow_id == flow_id, FlowRun.trigger_group == group)
        .order_by(FlowRun.started_at)
    )
    return [_Before(*row) for row in rows]


def _reached(project_id: UUID) -> ColumnElement[bool]:
    """Whether a message of the run reached somebody, or may have."""
    return (
        select(Delivery.id)
        .where(
            Delivery.project_id == project_id,
            Delivery.run_id == FlowRun.id,
            Delivery.status.in_(("accepted", "unknown", *OPEN_STATUSES)),
        )
        .exists()
    )


async def _refusal(
    tx: AsyncSession,
    project_id: UUID,
    flow_id: UUID,
    flow: FlowDefinition,
    trigger: Trigger,
    people: Collection[UUID],
    now: datetime,
) -> str | None:
    if now - trigger.occurred_at > flow.settings.max_trigger_age:
        return "too_old"
    if flow.settings.exit_on_conversion and await converted_since(tx, project_id, people, trigger.occurred_at):
        return "converted"
    recent = await tx.scalar(
        select(FlowRun.id)
        .where(
            FlowRun.project_id == project_id,
            FlowRun.flow_id == flow_id,
            FlowRun.visitor_id.in_(people),
            FlowRun.trigger_group != trigger.group,
            # One that reached nobody, having been skipped or cancelled in time, stands in nobody's way.
            FlowRun.status.in_(UNFINISHED)
            | ((FlowRun.started_at > now - flow.settings.reentry) & _reached(project_id)),
        )
        .limit(1)
    )
    return "reentry" if recent is not None else None


async def _insert_run(
    tx: AsyncSession,
    project_id: UUID,
    flow_id: UUID,
    version_id: UUID,
    flow: FlowDefinition,
    trigger: Trigger,
    refusal: str | None,
    now: datetime,
) -> UUID | None:
    over = refusal is not None
    return (
        await tx.execute(
            upsert(FlowRun)
            .values(
                project_id=project_id,
                id=uuid4(),
                flow_id=flow_id,
                version_id=version_id,
                visitor_id=trigger.visitor_id,
                trigger_key=trigger.key,
                trigger_group=trigger.group,
                triggered_at=trigger.occurred_at,
                facts=dict(trigger.facts),
                exit_on_conversion=flow.settings.exit_on_conversion,
                status="cancelled" if over else "waiting",
                step=flow.start,
                waiting=False,
                signalled=False,
                due_at=None if over else now,
                attempts=0,
                started_at=now,
                ended_at=now if over else None,
                end_reason=refusal,
            )
            .on_conflict_do_nothing(index_elements=["project_id", "flow_id", "trigger_key"])
            .returning(FlowRun.id)
        )
    ).scalar_one_or_none()


async def _cancel(
    tx: AsyncSession, project_id: UUID, which: Sequence[ColumnElement[bool]], why: str, now: datetime
) -> int:
    """Ends the unfinished runs among ``which``. The caller holds the locks of their visitors."""
    found = await _lock_runs(tx, project_id, [FlowRun.status.in_(UNFINISHED), *which])
    resting = [run_id for run_id, status in found if status == "waiting"]
    if resting:
        await tx.execute(
            update(FlowRun)
            .where(FlowRun.project_id == project_id, FlowRun.id.in_(resting))
            .values(status="cancelled", due_at=None, ended_at=now, end_reason=why, signal=None, signal_key=None)
        )
        await tx.execute(
            update(Delivery)
            .where(Delivery.project_id == project_id, Delivery.run_id.in_(resting), Delivery.status == "retry")
            .values(status=given_up("retry"), error=f"Not tried again: {why}", decided_at=now)
        )
    # Past the gate: that send was decided before this. It finishes, and nothing follows it.
    sending = [run_id for run_id, status in found if status == "sending"]
    if sending:
        await tx.execute(
            update(FlowRun).where(FlowRun.project_id == project_id, FlowRun.id.in_(sending)).values(end_reason=why)
        )
    for run_id, _ in found:
        await note(tx, project_id, run_id, now, None, "cancelled", why)
    return len(found)


async def _lock_runs(
    tx: AsyncSession, project_id: UUID, which: Sequence[ColumnElement[bool]]
) -> list[tuple[UUID, str]]:
    """Locks runs in the order of their ids, so that nobody waits in a circle: id and status, as they are now."""
    rows = await tx.execute(
        select(FlowRun.id, FlowRun.status)
        .where(FlowRun.project_id == project_id, *which)
        .order_by(FlowRun.id)
        .with_for_update()
    )
    return [(row[0], row[1]) for row in rows]
