"""Decides what a run does next: pure, so that preview, dry run, replay and the engine are the same code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from flows.conditions._old import holds, lookup
from flows.definition import Branch, Exit, FlowDefinition, Send, Wait

Occurrence = Literal["due", "signalled", "sent"]
"""Why a run is looked at: its time has come, its signal arrived, or its send step is over."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: at ``step``, and whether a wait there has begun."""

    step: str
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class SendNow:
    """The run stands at a send step; ``due_at`` is when the step became due."""

    step_id: str
    step: Send


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """The run rests until ``due_at``, or until the signal, if one is named, with this key."""

    due_at: datetime
    signal: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class Advance:
    """The new position, what to do there, and the steps passed on the way with a word each."""

    position: Position
    effect: SendNow | WaitUntil | Finish
    passed: tuple[tuple[str, str], ...] = ()


def advance(
    flow: FlowDefinition, position: Position, occurrence: Occurrence, facts: Mapping[str, Any], now: datetime
) -> Advance:
    """The next thing to do for a run at ``position``. Ends always: a valid flow has no loop without a wait."""
    passed: list[tuple[str, str]] = []
    step_id: str | None = position.step
    waiting = position.waiting
    for _ in range(2 * len(flow.steps) + 2):
        step = flow.steps.get(step_id) if step_id is not None else None
        if step_id is None or step is None:
            return Advance(position, Finish("finished"), tuple(passed))
        match step:
            case Exit():
                return Advance(Position(step_id), Finish(step.reason), tuple(passed))
            case Branch():
                way = holds(step.when, facts)
                passed.append((step_id, "then" if way else "otherwise"))
                step_id = step.then if way else step.otherwise
            case Send():
                if not (occurrence == "sent" and step_id == position.step):
                    return Advance(Position(step_id), SendNow(step_id, step), tuple(passed))
                occurrence = "due"
                position = Position(step_id)
                step_id = step.next
                if step_id is None:
                    return Advance(position, Finish("finished"), tuple(passed))
            case Wait():
                if not waiting:
                    return Advance(Position(step_id, waiting=True), _begin(step, facts, now), tuple(passed))
                waiting = False
                signalled = occurrence == "signalled"
                passed.append((step_id, "signalled" if signalled else "waited"))
                timed_out = step.until is not None and not signalled
                position = Position(step_id)
                step_id = step.otherwise if timed_out else step.next
                if step_id is None:
                    return Advance(position, Finish("timed_out" if timed_out else "finished"), tuple(passed))
    return Advance(position, Finish("loop"), tuple(passed))


def _begin(step: Wait, facts: Mapping[str, Any], now: datetime) -> WaitUntil:
    if step.until is None:
        return WaitUntil(now + step.for_)
    key = lookup(facts, step.until.key)
    return WaitUntil(now + step.for_, step.until.name, str(key) if key is not None else None)
