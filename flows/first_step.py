"""Decides what a new run looks like: over at once, at rest at its first step, or due for a worker. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from flows.definition import Exit, FlowDefinition, Wait
from flows.engine import Finish, Position, Traveller, WaitUntil, advance, asks_for_zone
from flows.ports import Trigger
from flows.triggers import until


@dataclass(frozen=True, slots=True)
class Published:
    """A flow and the version that new runs get."""

    flow_id: UUID
    version_id: UUID
    definition: FlowDefinition


def new_run(flow: Published, trigger: Trigger, refusal: str | None, now: datetime) -> dict[str, Any]:
    """The row of a run. ``refusal``: why it is over at once."""
    definition = flow.definition
    row: dict[str, Any] = {
        "id": uuid4(),
        "flow_id": flow.flow_id,
        "version_id": flow.version_id,
        "visitor_id": trigger.visitor_id,
        "trigger_key": trigger.key,
        "trigger_group": trigger.group,
        "triggered_at": trigger.occurred_at,
        "facts": dict(trigger.facts),
        "exit_on_conversion": definition.settings.exit_on_conversion,
        "priority": definition.settings.priority,
        "status": "waiting",
        "step": definition.start,
        "waiting": False,
        "signal": None,
        "signal_key": None,
        "signalled": False,
        "due_at": now,
        "ended_at": None,
        "end_reason": None,
    }
    if refusal is not None:
        return row | {"status": "cancelled", "due_at": None, "ended_at": now, "end_reason": refusal}
    if not isinstance(definition.steps[definition.start], Wait | Exit) or asks_for_zone(definition):
        return row  # for a worker: there is something to send, or to find out
    who = Traveller(trigger.visitor_id)
    match advance(definition, Position(definition.start), "due", trigger.facts, now, who=who).effect:
        case Finish(reason):
            return row | {"status": "done", "due_at": None, "ended_at": now, "end_reason": reason}
        case WaitUntil(due_at, signal, key):
            awaited = {"signal": signal, "signal_key": key} if signal is not None and key is not None else {}
            return row | {"waiting": True, "due_at": due_at} | awaited
        case _:
            return row


def first_lines(name: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The first lines of a run's history."""
    told = [(None, "started", name)]
    if row["status"] == "cancelled":
        told = [(None, "not_started", f"{name}: {row['end_reason']}")]
    elif row["status"] == "done":
        told.append((row["step"], "ended", row["end_reason"]))
    elif row["signal"] is not None:
        told.append((row["step"], "waiting", f"for {row['signal']} {row['signal_key']:.80}, {until(row['due_at'])}"))
    elif row["waiting"]:
        told.append((row["step"], "waiting", until(row["due_at"])))
    return [{"run_id": row["id"], "step": step, "what": what, "detail": detail} for step, what, detail in told]
