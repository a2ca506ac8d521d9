"""Decides what a run does next: pure, so that preview, dry run, replay and the engine are the same code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flows.chance import choose
from flows.conditions import Condition, Explanation, Facts, Fields, explain
from flows.definition import (
    VISITOR_ZONE,
    WEEKDAYS,
    Branch,
    Exit,
    FlowDefinition,
    LocalTime,
    Send,
    Split,
    Wait,
)
from flows.local_time import next_local
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


@dataclass(frozen=True, slots=True)
class Traveller:
    """Whose run it is: the visitor, and the zone they are in, None where it is not known or no step asks for it."""

    id: UUID
    zone: tzinfo | None = None


SOMEBODY: Final = Traveller(UUID(int=0))


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
    """The run rests until ``due_at``, or until the signal, if one is named, with this key. The signal of an event is
    ``event_signal`` of its type, its key the visitor's id."""

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
    facts: Mapping[str, object],
    now: datetime,
    judge: Judge = knows_nothing,
    who: Traveller = SOMEBODY,
) -> Advance:
    """The next thing to do for a run at ``position``. Ends always: a valid flow has no loop without a wait.

    ``facts`` are the trigger's, in which a wait finds the key of its signal; ``judge`` decides branches: one goes
    ``then`` where its condition is true, and ``otherwise`` where it is false or unknown. ``who`` decides splits, and
    what time it is for a wait until a local time.
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
            case Split():
                index = choose([way.weight for way in step.ways], step.key or f"{flow.name}/{step_id}", who.id)
                passed.append(Way(step_id, "split", step.ways[index].next))
                step_id = step.ways[index].next
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
                    return Advance(Position(step_id, waiting=True), _begin(step, facts, now, who), tuple(passed))
                waiting = False
                signalled = occurrence == "signalled"
                passed.append(Way(step_id, "signalled" if signalled else "waited"))
                timed_out = step.awaits and not signalled
                position = Position(step_id)
                step_id = step.otherwise if timed_out else step.next
                if step_id is None:
                    return Advance(position, Finish("timed_out" if timed_out else "finished"), tuple(passed))
    return Advance(position, Finish("loop"), tuple(passed))


def _begin(step: Wait, facts: Mapping[str, object], now: datetime, who: Traveller) -> WaitUntil:
    due_at = now + (step.for_ or timedelta(0))
    if step.at is not None:
        weekdays = [WEEKDAYS.index(day) for day in step.at.weekdays]
        return WaitUntil(next_local(due_at, step.at.time, zone_of(step.at, who), weekdays))
    if step.event is not None:
        return WaitUntil(due_at, event_signal(step.event.type), str(who.id))
    if step.until is None:
        return WaitUntil(due_at)
    key = lookup(facts, step.until.key)
    return WaitUntil(due_at, step.until.name, str(key) if key is not None else None)


def event_signal(kind: str) -> str:
    """The name of the signal that an event of this type gives to who waits for it."""
    return f"event:{kind}"


def zone_of(at: LocalTime, who: Traveller) -> tzinfo:
    """The zone whose clocks a local time means."""
    if at.zone != VISITOR_ZONE:
        return ZoneInfo(at.zone)
    return who.zone or ZoneInfo(at.unknown_zone)


def asks_for_zone(flow: FlowDefinition) -> bool:
    """Whether a step depends on where the visitor is."""
    return any(
        isinstance(step, Wait) and step.at is not None and step.at.zone == VISITOR_ZONE for step in flow.steps.values()
    )
