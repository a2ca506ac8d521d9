"""Sets down that something happened which may concern runs: a worker sees to it soon (``flows/uptake``).

Everything here happens inside the caller's transaction: what is rolled back did not happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import FlowWatch
from flows.ports import Trigger
from flows.watching import SEGMENT

_SET_DOWN = text("""
INSERT INTO flow_occurrence (project_id, id, kind, trigger_key, trigger_group, visitor_id, occurred_at, facts, due_at)
SELECT :project, id, kind, trigger_key, trigger_group, visitor_id, occurred_at, facts, :now
FROM json_to_recordset(:rows) AS row(
    id uuid, kind text, trigger_key text, trigger_group text, visitor_id uuid, occurred_at timestamptz, facts jsonb)
""")


async def set_down(tx: AsyncSession, project_id: UUID, triggers: Iterable[Trigger], now: datetime) -> None:
    """Has a worker start the runs that these triggers ask for. The same trigger again starts nothing twice: flows go by
    its key."""
    rows = [
        {
            "id": uuid4(),
            "kind": trigger.kind,
            "trigger_key": trigger.key,
            "trigger_group": trigger.group,
            "visitor_id": trigger.visitor_id,
            "occurred_at": trigger.occurred_at,
            "facts": dict(trigger.facts),
        }
        for trigger in triggers
    ]
    if rows:
        await tx.execute(_SET_DOWN, {"project": project_id, "now": now, "rows": msgspec.json.encode(rows).decode()})


async def segment_moves(
    tx: AsyncSession, project_id: UUID, moves: Iterable[tuple[UUID, str, bool]], now: datetime
) -> None:
    """Visitors came into segments, or fell out: visitor, segment, whether in. Nothing where nobody listens."""
    moves = list(moves)
    if not moves:
        return
    watched = set(
        await tx.scalars(select(FlowWatch.name).where(FlowWatch.project_id == project_id, FlowWatch.event == SEGMENT))
    )
    await set_down(
        tx,
        project_id,
        [
            _segment_trigger(visitor_id, segment, entered, now)
            for visitor_id, segment, entered in moves
            if segment in watched
        ],
        now,
    )


def _segment_trigger(visitor_id: UUID, segment: str, entered: bool, now: datetime) -> Trigger:
    key = f"segment:{uuid4()}"
    change = "entered" if entered else "left"
    return Trigger("segment", key, key, visitor_id, now, {"segment": {"name": segment, "change": change}})
