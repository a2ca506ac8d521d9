"""Decides what a run does next: pure, so that preview, dry run, replay and the engine are the same code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from flows.conditions import Condition, Explanation, Facts, Fields, explain
from flows.definition import Branch, Exit, FlowDefinition, Send, Wait
from flows.lookup import lookup

Occurrence = Literal["due", "signalled", "sent"]
"""Why a run is looked at: its time has come, its signal arrived, or its send step is over."""


Judge = Callable[[Condition], Explanation]
"""Says whether a condition is true now, false or unknown, and why."""

_NOTHING: Final = Facts({}, datetime.min.replace(tzinfo=UTC))
_NO_FIELDS: Final = Fields([])


def knows_nothing(condition: Condition) -> Explanation:
    """The judge to whom everything is unknown: for steps before any branch."""
    return explain(condition, _NO_FIELDS, _NOTHING)


class Way(NamedTuple):
    """A step that was passed: what came of it, and why where there was a choice."""

    step: str
    word: str
    why: str = ""


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
    """The new position, what to do there, and the steps passed on the way."""

    position: Position
    effect: SendNow | WaitUntil | Finish
    passed: tuple[Way, ...] = ()


def advance(
    flow: FlowDefinition,
    position: Position,
    occurrence: Occurrence,
    facts: Mapping[str, Any],
    now: datetime,
    judge: Judge = knows_nothing,
) -> Advance:
    """The next thing to do for a run at ``position``. Ends always: a valid flow has no loop without a wait.

    ``facts`` are the trigger's, in which a wait finds the key of its signal; ``judge`` decides branches: one goes
    ``then`` where its condition is true, and ``otherwise`` where it is false or unknown.
    """
    passed: list[Way] = []
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
                found = judge(step.when)
                way = found.truth is True
                passed.append(Way(step_id, "then" if way else "otherwise", found.why()))
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
                passed.append(Way(step_id, "signalled" if signalled else "waited"))
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
