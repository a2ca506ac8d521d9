"""Decides which flows a trigger starts, and starts them: many triggers in a few statements.

Everything here happens inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Text, cast, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.personal import ring_of
from flows.conditions import explain
from flows.definition import FlowDefinition
from flows.definition import Trigger as Rule
from flows.deliveries import OPEN_STATUSES
from flows.first_step import Published, first_lines, new_run
from flows.matching import condition_of, matches
from flows.models import CALLED, Conversion, Delivery, Flow, FlowRun, FlowVersion
from flows.ports import NOBODY, Knowledge, Trigger
from flows.triggers import UNFINISHED, hold_signal, lock_visitors, note, signal_given_at, wake

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


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A run of the same flow. ``reached``: a message of it reached somebody, or may have."""

    id: UUID
    group: str
    status: str
    end_reason: str | None
    reached: bool
    started_at: datetime

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def stands(self) -> bool:
        """It leaves nothing to do for another one of its group."""
        return self.reached or self.unfinished or self.status == "done"


@dataclass(slots=True)
class _Past:
    """What was before: visitors' last orders, and runs by flow and visitor and by flow and trigger group."""

    bought_at: dict[UUID, datetime] = field(default_factory=dict)
    of_visitor: dict[tuple[UUID, UUID], list[_Earlier]] = field(default_factory=dict)
    of_group: dict[tuple[UUID, str], list[_Earlier]] = field(default_factory=dict)

    def add(self, flow_id: UUID, visitor_id: UUID, run: _Earlier) -> None:
        self.of_visitor.setdefault((flow_id, visitor_id), []).append(run)
        self.of_group.setdefault((flow_id, run.group), []).append(run)


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
    past = await _past(tx, project_id, people, matching, now)
    rows: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    asked_again: list[tuple[UUID, Trigger]] = []
    for trigger, flow in matching:
        before = past.of_group.get((flow.flow_id, trigger.group), [])
        if (standing := next((run for run in before if run.stands), None)) is not None:
            asked_again.append((standing.id, trigger))
            continue
        refusal = _refusal(flow, trigger, people[trigger.visitor_id], past, now)
        if refusal is not None and any(run.end_reason == refusal for run in before):
            continue
        row = new_run(flow, trigger, refusal, now)
        rows.append(row)
        lines += first_lines(flow.definition.name, row)
        # For the next trigger: it may be of the same visitor or group.
        run = _Earlier(row["id"], trigger.group, row["status"], refusal, reached=False, started_at=now)
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


async def _past(
    tx: AsyncSession,
    project_id: UUID,
    people: Mapping[UUID, Collection[UUID]],
    matching: Sequence[tuple[Trigger, Published]],
    now: datetime,
) -> _Past:
    visitors = {visitor for person in people.values() for visitor in person}
    bought = await tx.execute(
        select(Conversion.visitor_id, func.max(Conversion.occurred_at))
        .where(Conversion.project_id == project_id, Conversion.visitor_id.in_(visitors))
        .group_by(Conversion.visitor_id)
    )
    past = _Past(bought_at={row[0]: row[1] for row in bought})
    reached = (
        select(Delivery.id)
        .where(
            Delivery.project_id == project_id,
            Delivery.run_id == FlowRun.id,
            Delivery.status.in_(("accepted", "unknown", *OPEN_STATUSES)),
        )
        .exists()
    )
    settings = [flow.definition.settings for _, flow in matching]
    recent = FlowRun.status.in_(UNFINISHED) | (FlowRun.started_at > now - max(one.reentry for one in settings))
    if any(one.reenter == "once" for one in settings):
        recent |= reached
    same_group = FlowRun.trigger_group.in_({trigger.group for trigger, _ in matching})
    runs = await tx.execute(
        select(
            FlowRun.flow_id,
            FlowRun.visitor_id,
            FlowRun.id,
            FlowRun.trigger_group,
            FlowRun.status,
            FlowRun.end_reason,
            reached,
            FlowRun.started_at,
        )
        .where(
            FlowRun.project_id == project_id,
            FlowRun.flow_id.in_({flow.flow_id for _, flow in matching}),
            (FlowRun.visitor_id.in_(visitors) & recent) | same_group,
        )
        .order_by(FlowRun.started_at)
    )
    for row in runs:
        past.add(row[0], row[1], _Earlier(row[2], row[3], row[4], row[5], row[6], row[7]))
    return past


def _refusal(flow: Published, trigger: Trigger, person: Collection[UUID], past: _Past, now: datetime) -> str | None:
    settings = flow.definition.settings
    if now - trigger.occurred_at > settings.max_trigger_age:
        return "too_old"
    orders = [past.bought_at[visitor] for visitor in person if visitor in past.bought_at]
    if settings.exit_on_conversion and any(bought_at >= trigger.occurred_at for bought_at in orders):
        return "converted"
    if settings.reenter == "always" or trigger.visitor_id == NOBODY:
        return None
    for run in (run for visitor in person for run in past.of_visitor.get((flow.flow_id, visitor), ())):
        # One that reached nobody, having been skipped or cancelled in time, stands in nobody's way.
        again = settings.reenter == "after_pause" and run.started_at <= now - settings.reentry
        in_the_way = run.unfinished or (run.reached and not again)
        if in_the_way and run.group != trigger.group:
            return "reentry"
    return None


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
