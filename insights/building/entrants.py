"""Decides who would have come into a flow in a time, and says by which stored history of its trigger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import (
    ApiTrigger,
    EventTrigger,
    FlowDefinition,
    InsightTrigger,
    PatternTrigger,
    ScheduleTrigger,
    SegmentTrigger,
)
from insights.building.call_cases import call_cases, called, last_visitor
from insights.building.member_cases import schedule_cases, segment_cases
from insights.building.pattern_cases import pattern_cases
from insights.building.rehearsed import Case
from insights.building.scenes import placed
from insights.building.visit_cases import event_cases, insight_cases


@dataclass(frozen=True, slots=True)
class Entrants:
    """The ``cases`` in the order in which they came. ``basis`` says what they were read from. ``assumed``: nothing of
    the kind is stored, and nobody can foretell it: one case that did not happen, to show the way by."""

    cases: Sequence[Case]
    basis: str
    assumed: bool = False


async def entrants_between(
    tx: AsyncSession, project_id: UUID, flow: FlowDefinition, since: datetime, until: datetime, most: int
) -> Entrants:
    """The latest ``most`` triggers in a time."""
    match flow.trigger:
        case InsightTrigger() as rule:
            cases = await insight_cases(tx, project_id, rule, since, until, most)
            basis = "Visits that closed in the time, as they are explained today."
        case EventTrigger() as rule:
            cases = await event_cases(tx, project_id, rule, since, until, most)
            basis = f"Events of the type {rule.event} that arrived in the time."
        case SegmentTrigger() as rule:
            cases = await segment_cases(tx, project_id, rule, since, until, most)
            change = "came into" if rule.change == "entered" else "fell out of"
            basis = (
                f"Visitors who {change} {rule.segment} in the time. What was before its condition was last changed is "
                "not known."
            )
        case PatternTrigger() as rule:
            cases = await pattern_cases(tx, project_id, rule, since, until, most)
            basis = "Patterns that were found in the time, with the visits that stood behind them."
        case ScheduleTrigger() as rule:
            cases = await schedule_cases(tx, project_id, rule, since, until, most)
            basis = f"Turns of the calendar in the time, for everybody who was in {rule.segment} then."
        case ApiTrigger():
            return await _calls(tx, project_id, flow.name, since, until, most)
    return Entrants(sorted(cases, key=lambda case: case.starts_at), basis)


async def _calls(
    tx: AsyncSession, project_id: UUID, flow_name: str, since: datetime, until: datetime, most: int
) -> Entrants:
    cases = await call_cases(tx, project_id, flow_name, since, until, most)
    if cases:
        ordered = sorted(cases, key=lambda case: case.starts_at)
        return Entrants(ordered, f"Calls that started the flow {flow_name!r} in the time.")
    basis = f"Nobody called the flow {flow_name!r} in the time, and calls cannot be foretold."
    last = await last_visitor(tx, project_id, until)
    if last is None:
        return Entrants((), basis)
    visitor, at = last
    shown = await placed(tx, project_id, [(called(visitor, at), at)])
    return Entrants(shown, f"{basis} The sample is what would become of one: for whoever was there last.", True)


def by_person(cases: Iterable[Case]) -> list[Sequence[Case]]:
    """The cases of each person together, in the order of the first."""
    found: dict[Collection[UUID], list[Case]] = defaultdict(list)
    for case in cases:
        found[case.person].append(case)
    return list(found.values())
