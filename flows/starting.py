"""Decides which flows a trigger starts, and starts them: many triggers in a few statements.

Everything here happens inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Text, cast, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.personal import ring_of
from flows.conditions import explain
from flows.definition import FlowDefinition
from flows.definition import Trigger as Rule
from flows.first_step import Published, first_lines, new_run
from flows.matching import condition_of, matches
from flows.models import CALLED, Delivery, Flow, FlowRun, FlowVersion
from flows.past import EarlierRun, read_past, refusal
from flows.ports import Knowledge, Trigger
from flows.triggers import hold_signal, lock_visitors, note, signal_given_at, wake

# One statement for all runs of a batch and the first lines of their histories. A run that a trigger's first copy
# started is not made again, and gets no lines.
_START = text("""
WITH given AS (
    SELECT * FROM json_to_recordset(:rows) AS row(
        id uuid, flow_id uuid, version_id uuid, visitor_id uuid, trigger_key text, trigger_group text,
        triggered_at timestamptz, facts jsonb, exit_on_conversion boolean, priority smallint, status text, step text,
        waiting boolean, signal text, signal_key text, signalled boolean, due_at timestamptz, ended_at timestamptz,
        end_reason text)
), made AS (
    INSERT INTO flow_run (project_id, id, flow_id, version_id, visitor_id, trigger_key, trigger_group, triggered_at,
                          facts, exit_on_conversion, priority, status, step, waiting, signal, signal_key, signalled,
                          due_at, attempts, started_at, ended_at, end_reason)
    SELECT :project, id, flow_id, version_id, visitor_id, trigger_key, trigger_group, triggered_at, facts,
           exit_on_conversion, priority, status, step, waiting, signal, signal_key, signalled, due_at, 0, :now,
           ended_at, end_reason
    FROM given
    ON CONFLICT (project_id, flow_id, trigger_key) DO NOTHING
    RETURNING id
), noted AS (
    INSERT INTO run_event (project_id, run_id, at, step, what, detail)
    SELECT :project, line.run_id, :now, line.step, line.what, line.detail
    FROM json_to_recordset(:lines) AS line(n integer, run_id uuid, step text, what text, detail text)
    JOIN made ON made.id = line.run_id
    ORDER BY line.n
)
SELECT id FROM made
""")


async def start_runs(
    tx: AsyncSession,
    project_id: UUID,
    triggers: Sequence[Trigger],
    now: datetime,
    knowledge: Knowledge,
    *,
    same_person: Mapping[UUID, Collection[UUID]] = MappingProxyType({}),
    only: UUID | None = None,
) -> list[UUID]:
    """Starts a run of each published flow that each trigger matches; returns the new runs that are under way.

    A flow starts at most one run per trigger key, and in a trigger group none after one that is unfinished, came to its
    end or reached somebody: a run that was cancelled in time makes room for the next, and one that has sent nothing yet
    takes over the newer facts. A visitor who bought at or after
    ``trigger.occurred_at``, a trigger that is too old and a visitor whose last run of this flow is too recent start a
    run that is over at once and says so, once a group: nothing is skipped in silence. ``same_person`` are visitors'
    other devices, whose locks the caller holds: orders and runs there count too. A run whose first step is to wait is
    at rest from the start, one whose first step is the exit is over. ``only``: of this flow alone.
    """
    published = await _published(tx, project_id)
    if only is not None:
        published = [flow for flow in published if flow.flow_id == only]
    matching = [
        (trigger, flow)
        for trigger in triggers
        for flow in published
        if matches(flow.definition.trigger, trigger)
        and await _asked_for(tx, project_id, flow.definition.trigger, trigger, now, knowledge)
    ]
    if not matching:
        return []
    await lock_visitors(tx, {trigger.visitor_id for trigger, _ in matching})
    people = {
        trigger.visitor_id: {trigger.visitor_id, *same_person.get(trigger.visitor_id, ())} for trigger, _ in matching
    }
    past = await read_past(tx, project_id, people, matching, now)
    rows: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    asked_again: list[tuple[UUID, Trigger]] = []
    for trigger, flow in matching:
        before = past.before(flow.flow_id, trigger, people[trigger.visitor_id])
        if (standing := next((run for run in before if run.stands), None)) is not None:
            asked_again.append((standing.id, trigger))
            continue
        forbidden = refusal(flow, trigger, people[trigger.visitor_id], past, now)
        if forbidden is not None and any(run.end_reason == forbidden for run in before):
            continue
        row = new_run(flow, trigger, forbidden, now)
        rows.append(row)
        lines += first_lines(flow.definition.name, row)
        # For the next trigger: it may be of the same visitor or group.
        run = EarlierRun(row["id"], trigger.group, row["status"], forbidden, reached=False, started_at=now)
        past.add(flow.flow_id, trigger.visitor_id, run)
    await _look_for_signals(tx, project_id, rows, now)
    started = await _start(tx, project_id, rows, [line | {"n": n} for n, line in enumerate(lines)], now)
    for run_id, trigger in asked_again:
        await _bring_up_to_date(tx, project_id, run_id, trigger)
        await note(tx, project_id, run_id, now, None, "asked_again", "another trigger of the same group")
    return started


async def is_asked_for(tx: AsyncSession, project_id: UUID, triggers: Sequence[Trigger]) -> list[Trigger]:
    """Those triggers that a published flow may ask for, whatever its condition says."""
    published = await _published(tx, project_id)
    return [one for one in triggers if any(matches(flow.definition.trigger, one) for flow in published)]


async def definition_of(tx: AsyncSession, project_id: UUID, version_id: UUID) -> FlowDefinition:
    """What a version says."""
    body = await tx.scalar(
        select(cast(FlowVersion.definition, Text)).where(
            FlowVersion.project_id == project_id, FlowVersion.id == version_id
        )
    )
    return read_definition(str(body))


async def _bring_up_to_date(tx: AsyncSession, project_id: UUID, run_id: UUID, trigger: Trigger) -> None:
    """A run that has sent nothing yet goes on with what is known now. The caller holds its visitor's lock."""
    sent = select(Delivery.id).where(Delivery.project_id == project_id, Delivery.run_id == run_id).exists()
    await tx.execute(
        update(FlowRun)
        .where(FlowRun.project_id == project_id, FlowRun.id == run_id, FlowRun.status == "waiting", ~sent)
        .values(facts=dict(trigger.facts), triggered_at=trigger.occurred_at)
    )


async def _start(
    tx: AsyncSession, project_id: UUID, rows: list[dict[str, Any]], lines: list[dict[str, Any]], now: datetime
) -> list[UUID]:
    if not rows:
        return []
    ring = ring_of(tx)
    for row in rows:
        if CALLED in row["facts"]:
            row["facts"] = ring.seal_json(row["facts"])
    encode = msgspec.json.encode
    values = {"project": project_id, "now": now, "rows": encode(rows).decode(), "lines": encode(lines).decode()}
    made = set(await tx.scalars(_START, values))
    started = [row for row in rows if row["id"] in made and row["status"] == "waiting"]
    if any(row["due_at"] <= now for row in started):
        await wake(tx)
    return [row["id"] for row in started]


async def _asked_for(
    tx: AsyncSession, project_id: UUID, rule: Rule, trigger: Trigger, now: datetime, knowledge: Knowledge
) -> bool:
    asked = condition_of(rule)
    if asked is None:
        return True
    facts = await knowledge.known(tx, project_id, trigger.visitor_id, [asked], trigger.facts, now)
    return explain(asked, knowledge.fields, facts).truth is True


@lru_cache(maxsize=512)
def read_definition(body: str) -> FlowDefinition:
    """The definition in a stored version. The same text is read once: a published version never changes."""
    return FlowDefinition.model_validate_json(body)


async def _published(tx: AsyncSession, project_id: UUID) -> list[Published]:
    rows = await tx.execute(
        select(Flow.id, FlowVersion.id, cast(FlowVersion.definition, Text))
        .join(FlowVersion, (FlowVersion.project_id == Flow.project_id) & (FlowVersion.id == Flow.version_id))
        .where(Flow.project_id == project_id)
        .order_by(Flow.id)
    )
    return [Published(row[0], row[1], read_definition(row[2])) for row in rows]


async def _look_for_signals(tx: AsyncSession, project_id: UUID, rows: list[dict[str, Any]], now: datetime) -> None:
    """Lets runs go on at once whose signal was given since what triggered them."""
    awaited = {(row["signal"], row["signal_key"]) for row in rows if row["signal"] is not None}
    for name, key in sorted(awaited):
        # Serialises with whoever gives it: one of the two sees the other.
        await hold_signal(tx, project_id, name, key)
        given_at = await signal_given_at(tx, project_id, name, key)
        for row in rows:
            if (row["signal"], row["signal_key"]) == (name, key) and given_at and given_at >= row["triggered_at"]:
                row |= {"signal": None, "signal_key": None, "signalled": True, "due_at": now}
