"""What a flow is: a trigger, steps that name their successors, and bounds. ``validate`` finds everything wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from flows.conditions import All, AnyOf, Check, Condition, Fields, Not, type_faults, understand, write
from flows.errors import Fault

PLACE: Final = "flow"
"""Where the conditions of flows are evaluated, to the registry of fields."""


def _written(value: Any) -> Condition:
    return value if isinstance(value, Check | All | AnyOf | Not) else understand(value)


WrittenCondition = Annotated[
    Condition,
    PlainValidator(_written),
    PlainSerializer(write, return_type=dict[str, Any]),
    WithJsonSchema(
        {
            "title": "Condition",
            "description": "The JSON form (GET /v1/conditions/schema) or the text of a condition.",
            "anyOf": [{"type": "object"}, {"type": "string"}],
        }
    ),
]
"""A condition given as its JSON form or its text, kept as the condition, written as JSON."""

StepId = Annotated[str, Field(min_length=1, max_length=60, pattern="^[a-z0-9_]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TriggerRule(_Part):
    """Which triggers start a run. ``on`` is the trigger's kind; the rest narrows an insight."""

    on: Literal["insight"] = "insight"
    kind: str | None = None
    reasons: list[str] = Field(default_factory=list)
    min_confidence: float = Field(0.0, ge=0, le=1)
    when: WrittenCondition | None = None


class Send(_Part):
    """Reaches someone through one action of the registry. Too late by ``max_lateness``: skipped, and recorded."""

    do: Literal["send"] = "send"
    action: str
    params: dict[str, Any] = Field(default_factory=dict)
    max_lateness: timedelta = timedelta(days=2)
    next: StepId | None = None


class Signal(_Part):
    """Something that happens outside, named, with the fact that holds its key (ticket_fixed, error.fingerprint)."""

    name: str = Field(min_length=1, max_length=100)
    key: str = Field(min_length=1, max_length=200)


class Wait(_Part):
    """Lets time pass: ``for_`` long, or until a signal but ``for_`` at most (then ``otherwise``)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    do: Literal["wait"] = "wait"
    for_: timedelta = Field(alias="for", gt=timedelta(0), le=timedelta(days=365))
    until: Signal | None = None
    next: StepId | None = None
    otherwise: StepId | None = None


class Branch(_Part):
    """Goes one of two ways."""

    do: Literal["branch"] = "branch"
    when: WrittenCondition
    then: StepId
    otherwise: StepId


class Exit(_Part):
    """Ends the run and says why."""

    do: Literal["exit"] = "exit"
    reason: str = "finished"


Step = Annotated[Send | Wait | Branch | Exit, Field(discriminator="do")]


class FlowSettings(_Part):
    """Bounds. ``max_trigger_age``: what started it may not lie longer back; ``reentry``: pause between two runs."""

    exit_on_conversion: bool = True
    max_trigger_age: timedelta = timedelta(days=3)
    reentry: timedelta = timedelta(days=1)


class FlowDefinition(_Part):
    """A whole flow. ``name`` identifies it within a project: publishing the same name again makes a new version."""

    name: str = Field(min_length=1, max_length=100)
    description: str = ""
    trigger: TriggerRule
    start: StepId
    steps: dict[StepId, Step] = Field(min_length=1, max_length=100)
    settings: FlowSettings = FlowSettings()


def successors(step: Send | Wait | Branch | Exit) -> dict[str, str]:
    """The steps that may follow: the field that names it → its id."""
    match step:
        case Send():
            ways = {"next": step.next}
        case Wait():
            ways = {"next": step.next, "otherwise": step.otherwise}
        case Branch():
            ways = {"then": step.then, "otherwise": step.otherwise}
        case Exit():
            ways = {}
    return {field: name for field, name in ways.items() if name is not None}


def conditions_of(flow: FlowDefinition) -> dict[str, Condition]:
    """Every condition of a flow by its JSON pointer: the trigger's and those of its branches."""
    found = {} if flow.trigger.when is None else {"/trigger/when": flow.trigger.when}
    branches = {f"/steps/{name}/when": step.when for name, step in flow.steps.items() if isinstance(step, Branch)}
    return found | branches


def validate(flow: FlowDefinition, actions: Collection[str], fields: Fields) -> list[Fault]:
    """Everything wrong with a flow, at once.

    ``actions`` is the registry of what a send step may do, ``fields`` that of what conditions may ask about.
    """
    return [
        *_missing_steps(flow),
        *_unknown_actions(flow, actions),
        *_conditions(flow, fields),
        *_unreachable(flow),
        *_loops_without_wait(flow),
    ]


def _conditions(flow: FlowDefinition, fields: Fields) -> Iterator[Fault]:
    for pointer, condition in conditions_of(flow).items():
        for fault in type_faults(condition, fields, PLACE):
            yield replace(fault, pointer=pointer + fault.pointer)


def _missing_steps(flow: FlowDefinition) -> Iterator[Fault]:
    names = ", ".join(flow.steps)
    if flow.start not in flow.steps:
        yield Fault("/start", f"there is no step {flow.start!r}", f"name one of: {names}")
    for name, step in flow.steps.items():
        for field, following in successors(step).items():
            if following not in flow.steps:
                yield Fault(
                    f"/steps/{name}/{field}", f"there is no step {following!r} to go to", f"name one of: {names}"
                )


def _unknown_actions(flow: FlowDefinition, actions: Collection[str]) -> Iterator[Fault]:
    for name, step in flow.steps.items():
        if isinstance(step, Send) and step.action not in actions:
            known = ", ".join(sorted(actions))
            yield Fault(f"/steps/{name}/action", f"{step.action!r} is not an action", f"use one of: {known}")


def _unreachable(flow: FlowDefinition) -> Iterator[Fault]:
    reached: set[str] = set()
    waiting = [flow.start]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in flow.steps:
            continue
        reached.add(name)
        waiting.extend(successors(flow.steps[name]).values())
    for name in flow.steps:
        if name not in reached:
            yield Fault(f"/steps/{name}", "no step leads here", "lead a step here, or remove it")


def _loops_without_wait(flow: FlowDefinition) -> Iterator[Fault]:
    """A cycle that no pause interrupts would send for ever at once.

    A wait for a signal is no pause: once given, the signal ends every later wait for it at once.
    """
    for name in flow.steps:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            step = flow.steps.get(waiting.pop())
            if step is None or (isinstance(step, Wait) and step.until is None):
                continue
            for following in successors(step).values():
                if following == name:
                    yield Fault(f"/steps/{name}", "is in a loop without a wait", "put a wait for a time into the loop")
                    waiting.clear()
                    break
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
