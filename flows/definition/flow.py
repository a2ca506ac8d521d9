"""A whole flow, and what stands in it by JSON pointer: conditions, segments, and events whose props it asks for."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from flows.conditions import Condition
from flows.definition.part import Part, StepId
from flows.definition.settings import FlowSettings
from flows.definition.steps import Branch, Send, Step, Wait
from flows.definition.triggers import (
    EventTrigger,
    InsightTrigger,
    Scalar,
    ScheduleTrigger,
    SegmentTrigger,
    TriggerRule,
)

MOST_STEPS = 100


class FlowDefinition(Part):
    """A whole flow. ``name`` identifies it within a project: publishing the same name again makes a new version."""

    name: str = Field(min_length=1, max_length=100)
    description: str = ""
    trigger: TriggerRule
    start: StepId
    steps: dict[StepId, Step] = Field(min_length=1, max_length=MOST_STEPS)
    settings: FlowSettings = FlowSettings()

    def lateness(self, step: Send) -> timedelta:
        """How late a send step may be."""
        return self.settings.max_lateness if step.max_lateness is None else step.max_lateness


def conditions_of(flow: FlowDefinition) -> dict[str, Condition]:
    """Every condition of a flow by its JSON pointer: the trigger's and those of its branches."""
    found = {} if flow.trigger.when is None else {"/trigger/when": flow.trigger.when}
    branches = {f"/steps/{name}/when": step.when for name, step in flow.steps.items() if isinstance(step, Branch)}
    return found | branches


def segments_of(flow: FlowDefinition) -> dict[str, str]:
    """Every segment that a flow names outside of its conditions, by its JSON pointer."""
    named: dict[str, str] = {}
    match flow.trigger:
        case InsightTrigger(segments=segments):
            named = {f"/trigger/segments/{n}": name for n, name in enumerate(segments)}
        case SegmentTrigger(segment=segment) | ScheduleTrigger(segment=segment):
            named = {"/trigger/segment": segment}
    goals = {f"/settings/goals/{n}/segment": goal.segment for n, goal in enumerate(flow.settings.goals)}
    goals["/settings/success/goal/segment"] = flow.settings.success.goal.segment
    return named | {pointer: name for pointer, name in goals.items() if name is not None}


def props_of(flow: FlowDefinition) -> dict[str, str]:
    """The types of the events of which a flow asks for props, by the pointer of those props."""
    asked: dict[str, tuple[str | None, dict[str, Scalar]]] = {}
    if isinstance(flow.trigger, EventTrigger):
        asked["/trigger/props"] = flow.trigger.event, flow.trigger.props
    for name, step in flow.steps.items():
        if isinstance(step, Wait) and step.event is not None:
            asked[f"/steps/{name}/event/props"] = step.event.type, step.event.props
    goals = {f"/settings/goals/{n}": goal for n, goal in enumerate(flow.settings.goals)}
    goals["/settings/success/goal"] = flow.settings.success.goal
    asked |= {f"{pointer}/props": (goal.event, goal.props) for pointer, goal in goals.items()}
    return {pointer: type_ for pointer, (type_, props) in asked.items() if type_ is not None and props}
