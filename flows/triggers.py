"""What stops and wakes runs. Everything here happens inside the caller's transaction.

Locks are taken in one order everywhere (session, visitor, run), so that nobody waits in a circle.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, case, cast, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from flows.deliveries import given_up
from flows.models import Conversion, FlowRun, FlowSignal, RunEvent

_ADDRESS = re.compile(r"[^\s<>@\"']{1,64}@[\w.-]{1,255}")

WAKE_CHANNEL = "flow_run"
UNFINISHED = ("waiting", "sending")


# What is past the gate was decided before this: it finishes, and nothing follows it.
_END = text("""
WITH over AS (
    UPDATE flow_run SET status = 'cancelled', due_at = NULL, ended_at = :now, end_reason = :why, signal = NULL,
        signal_key = NULL
    WHERE project_id = :project AND id = ANY(CAST(:resting AS uuid[]))
), last AS (
    UPDATE flow_run SET end_reason = :why WHERE project_id = :project AND id = ANY(CAST(:sending AS uuid[]))
), dropped AS (
    UPDATE delivery SET status = :given_up, error = :error, decided_at = :now
    WHERE project_id = :project AND run_id = ANY(CAST(:resting AS uuid[])) AND status = 'retry'
)
INSERT INTO run_event (project_id, run_id, at, what, detail)
SELECT :project, id, :now, 'cancelled', :why
FROM unnest(CAST(:resting AS uuid[]) || CAST(:sending AS uuid[])) AS id
""")


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


async def cancel_flow(tx: AsyncSession, project_id: UUID, flow_id: UUID, why: str, now: datetime) -> int:
    """Cancels the unfinished runs of a flow; returns how many. A run that is being started meanwhile goes on."""
    return await _cancel(tx, project_id, [FlowRun.flow_id == flow_id], why, now)


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
    session_id: UUID | None = None,
    by_server: bool = False,
) -> int:
    """Stores that a visitor bought and cancels their unfinished runs that end on it; returns how many.

    ``same_person`` are the visitor's other devices: their runs end as well. What triggered a run after the purchase is
    another matter, unless it is of the trigger group ``group``: the visit ``session_id`` that the purchase belongs to,
    thought to have ended without one. An order that is stored stays that visitor's and visit's, unless only pages told
    of it, which may say any number, and now a server does that proves itself (``by_server``): its word outranks theirs.
    Whether a send goes out is decided by who commits first: the gate and this take the same locks.
    """
    people = {visitor_id, *same_person}
    await lock_visitors(tx, people)
    told = upsert(Conversion).values(
        project_id=project_id,
        key=key,
        visitor_id=visitor_id,
        occurred_at=occurred_at,
        value_minor=value_minor,
        currency=currency,
        session_id=session_id,
        by_server=by_server,
    )
    new = told.excluded
    theirs = Conversion.visitor_id.in_(people)
    outranked = new.by_server & ~Conversion.by_server
    # Pages often know only that there was an order, and the shop's server says what it came to.
    silent = (Conversion.value_minor.is_(None) | Conversion.currency.is_(None)) & new.value_minor.is_not(None)
    taken = outranked & ~theirs
    told_worth = taken | new.value_minor.is_not(None)
    await tx.execute(
        told.on_conflict_do_update(
            index_elements=[Conversion.project_id, Conversion.key],
            set_={
                "visitor_id": case((taken, new.visitor_id), else_=Conversion.visitor_id),
                "session_id": case((taken, new.session_id), else_=Conversion.session_id),
                "occurred_at": case((taken, new.occurred_at), else_=Conversion.occurred_at),
                "value_minor": case((told_worth, new.value_minor), else_=Conversion.value_minor),
                "currency": case(
                    (taken, new.currency),
                    (told_worth, func.coalesce(new.currency, Conversion.currency)),
                    else_=Conversion.currency,
                ),
                "by_server": Conversion.by_server | new.by_server,
            },
            where=outranked | (silent & (theirs | new.by_server | ~Conversion.by_server)),
        )
    )
    ending: list[ColumnElement[bool]] = [
        FlowRun.visitor_id.in_(people),
        FlowRun.exit_on_conversion.is_(True),
        (FlowRun.triggered_at <= occurred_at) | (FlowRun.trigger_group == group)
        if group is not None
        else FlowRun.triggered_at <= occurred_at,
    ]
    return await _cancel(tx, project_id, ending, f"converted: order {key:.80}", now)


async def signal(tx: AsyncSession, project_id: UUID, name: str, key: str, now: datetime) -> int:
    """Gives a signal: runs that wait for it go on, runs that come to wait for it later see it. Returns how many went
    on now."""
    # Serialises with a run that begins to wait for the same signal: one of the two sees the other.
    await tx.execute(select(func.pg_advisory_xact_lock(_signal_lock(project_id, name, key))))
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


async def hold_signal(tx: AsyncSession, project_id: UUID, name: str, key: str) -> None:
    """Until the transaction ends nobody gives this signal. Any number may begin to await it meanwhile: of an error that
    many meet, all runs wait for the same one."""
    await tx.execute(select(func.pg_advisory_xact_lock_shared(_signal_lock(project_id, name, key))))


def _signal_lock(project_id: UUID, name: str, key: str) -> ColumnElement[int]:
    return func.hashtextextended(f"{project_id}/{name}/{key}", 1)


async def signal_given_since(tx: AsyncSession, project_id: UUID, name: str, key: str, since: datetime) -> bool:
    """Whether this signal was given at or after ``since``."""
    at = await signal_given_at(tx, project_id, name, key)
    return at is not None and at >= since


async def signal_given_at(tx: AsyncSession, project_id: UUID, name: str, key: str) -> datetime | None:
    """When this signal was given last; None if it never was."""
    return await tx.scalar(
        select(FlowSignal.at).where(FlowSignal.project_id == project_id, FlowSignal.name == name, FlowSignal.key == key)
    )


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


async def are_in_runs(tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID]) -> bool:
    """Whether a run of any of these visitors is not finished."""
    run = select(FlowRun.id).where(
        FlowRun.project_id == project_id, FlowRun.visitor_id.in_(visitor_ids), FlowRun.status.in_(UNFINISHED)
    )
    return await tx.scalar(run.limit(1)) is not None


async def note(
    tx: AsyncSession, project_id: UUID, run_id: UUID, now: datetime, step: str | None, what: str, detail: str = ""
) -> None:
    """Adds one line to a run's history, without addresses that a provider may have quoted in it."""
    said = _ADDRESS.sub("[email]", detail)
    await tx.execute(
        insert(RunEvent).values(project_id=project_id, run_id=run_id, at=now, step=step, what=what, detail=said)
    )


def until(at: datetime) -> str:
    """What a run's history says of a rest."""
    return f"until {at:%Y-%m-%d %H:%M:%S} UTC"


async def end_runs(tx: AsyncSession, project_id: UUID, run_ids: Collection[UUID], why: str, now: datetime) -> int:
    """Ends those of these runs that are unfinished; returns how many. The caller holds the locks of their visitors."""
    return await _cancel(tx, project_id, [FlowRun.id.in_(run_ids)], why, now)


async def _cancel(
    tx: AsyncSession, project_id: UUID, which: Sequence[ColumnElement[bool]], why: str, now: datetime
) -> int:
    """Ends the unfinished runs among ``which``. The caller holds the locks of their visitors."""
    found = await _lock_runs(tx, project_id, [FlowRun.status.in_(UNFINISHED), *which])
    if found:
        resting = [run_id for run_id, status in found if status == "waiting"]
        sending = [run_id for run_id, status in found if status == "sending"]
        given = {"project": project_id, "resting": resting, "sending": sending, "why": why, "now": now}
        await tx.execute(_END, {**given, "error": f"Not tried again: {why}", "given_up": given_up("retry")})
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
