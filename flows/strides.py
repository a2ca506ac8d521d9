"""Moves many runs on at once where nothing is sent and nobody is asked: one transaction for a whole batch.

What needs more than the run itself (something to send, a branch, a signal, the visitor's zone) takes a turn of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Text, cast, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from adapters.postgres.leases import Lease
from flows.conditions import Condition, Explanation
from flows.definition import FlowDefinition, Wait
from flows.engine import Finish, Occurrence, Position, SendNow, Traveller, WaitUntil, advance, asks_for_zone
from flows.models import FlowVersion
from flows.starting import read_definition
from flows.triggers import until

MOST_VERSIONS: Final = 1_000

# A run whose visitor or row somebody else holds is left out: its own turn waits for them, this one waits for nobody.
_TAKE = text("""
SELECT run.id, run.visitor_id, run.version_id, run.step, run.waiting, run.signalled
FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS bigint[])) AS own(id, token)
JOIN flow_run AS run ON run.project_id = :project AND run.id = own.id AND run.lease_token = own.token
WHERE run.status = 'waiting' AND run.due_at <= :now
    AND pg_try_advisory_xact_lock(hashtextextended(run.visitor_id::text, 0))
FOR UPDATE OF run SKIP LOCKED
""")

_PUT = text("""
WITH moved AS (
    UPDATE flow_run AS run SET
        status = new.status, step = new.step, waiting = new.waiting, signalled = false, signal = new.signal,
        signal_key = new.signal_key, due_at = new.due_at, wanted_at = NULL, lease_until = NULL, attempts = 0,
        ended_at = new.ended_at, end_reason = new.end_reason
    FROM json_to_recordset(:rows) AS new(
        id uuid, status text, step text, waiting boolean, signal text, signal_key text, due_at timestamptz,
        ended_at timestamptz, end_reason text)
    WHERE run.project_id = :project AND run.id = new.id
)
INSERT INTO run_event (project_id, run_id, at, step, what, detail)
SELECT :project, run_id, :now, step, what, detail
FROM json_to_recordset(:lines) AS line(run_id uuid, step text, what text, detail text)
""")


class _NeedsATurn(Exception):
    """Something must be looked up before it is known where this run goes."""


class Strides:
    """Takes the strides of one worker."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._flows: dict[tuple[UUID, UUID], FlowDefinition | None] = {}

    async def take(self, leases: Sequence[Lease]) -> set[UUID]:
        """Moves on what can be moved on of these runs, of one project; returns the ids of those that are done with
        for now. The others are still leased, and stand where they stood."""
        project_id = leases[0].project_id
        now = self._clock()
        async with self._database.transaction(project_id) as tx:
            found = await tx.execute(
                _TAKE,
                {
                    "project": project_id,
                    "ids": [lease.id for lease in leases],
                    "tokens": [lease.token for lease in leases],
                    "now": now,
                },
            )
            runs = found.all()
            await self._learn(tx, project_id, {run.version_id for run in runs})
            rows: list[dict[str, Any]] = []
            lines: list[dict[str, Any]] = []
            for run in runs:
                flow = self._flows[project_id, run.version_id]
                if flow is not None:
                    _stride(flow, run, now, rows, lines)
            if rows:
                encode = msgspec.json.encode
                values = {"rows": encode(rows).decode(), "lines": encode(lines).decode()}
                await tx.execute(_PUT, {"project": project_id, "now": now, **values})
        return {row["id"] for row in rows}

    async def _learn(self, tx: AsyncSession, project_id: UUID, versions: set[UUID]) -> None:
        """Reads the versions that are not known yet. Those in which strides are of no use are remembered as None."""
        missing = [one for one in versions if (project_id, one) not in self._flows]
        if not missing:
            return
        if len(self._flows) >= MOST_VERSIONS:
            self._flows = {key: flow for key, flow in self._flows.items() if key[1] in versions}
        rows = await tx.execute(
            select(FlowVersion.id, cast(FlowVersion.definition, Text)).where(
                FlowVersion.project_id == project_id, FlowVersion.id.in_(missing)
            )
        )
        for version_id, body in rows:
            flow = read_definition(body)
            self._flows[project_id, version_id] = flow if _walkable(flow) else None


def _walkable(flow: FlowDefinition) -> bool:
    """Whether a run of it may get anywhere without being looked up: a signal's key stands among its facts."""
    awaits = any(isinstance(step, Wait) and step.until is not None for step in flow.steps.values())
    return not awaits and not asks_for_zone(flow)


def _unknown(condition: Condition) -> Explanation:
    raise _NeedsATurn


def _stride(flow: FlowDefinition, run: Any, now: datetime, rows: list[dict[str, Any]], lines: list[Any]) -> None:
    """Where a run goes, unless that takes more than the run itself: its new row, and the lines of its history."""
    occurrence: Occurrence = "signalled" if run.signalled else "due"
    try:
        ahead = advance(flow, Position(run.step, run.waiting), occurrence, {}, now, _unknown, Traveller(run.visitor_id))
    except _NeedsATurn:
        return
    if isinstance(ahead.effect, SendNow):
        return
    said = [(way.step, way.word, way.why) for way in ahead.passed]
    row: dict[str, Any] = {
        "id": run.id,
        "status": "waiting",
        "step": ahead.position.step,
        "waiting": ahead.position.waiting,
        "signal": None,
        "signal_key": None,
        "due_at": None,
        "ended_at": None,
        "end_reason": None,
    }
    match ahead.effect:
        case Finish(reason):
            row |= {"status": "done", "ended_at": now, "end_reason": reason}
            said.append((ahead.position.step, "ended", reason))
        case WaitUntil(due_at, signal, key):
            row |= {"due_at": due_at, "signal": signal, "signal_key": key}
            what = (
                f"for {signal} {key:.80}, {until(due_at)}" if signal is not None and key is not None else until(due_at)
            )
            said.append((ahead.position.step, "waiting", what))
    rows.append(row)
    lines += [{"run_id": run.id, "step": step, "what": what, "detail": why} for step, what, why in said]
