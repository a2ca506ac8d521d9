"""Decides how one visit would have come into a flow: by what it was to its trigger, or as if it had been that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import (
    EventTrigger,
    FlowDefinition,
    InsightTrigger,
    PatternTrigger,
    ScheduleTrigger,
    SegmentTrigger,
)
from flows.matching import matches
from flows.ports import NOBODY, Trigger
from flows.watching import next_turn
from insights.building.call_cases import called
from insights.building.cases import trigger_of_session
from insights.building.member_cases import moved, turned
from insights.building.pattern_cases import triggers_of_pattern
from insights.building.rehearsed import Case
from insights.building.visit_cases import event_of_session
from insights.errors import NotFound
from insights.identity.together import visitors_together
from insights.models import Insight, Pattern, Session
from insights.recovery.trigger import visit_facts
from insights.segments.moves import inside_at, moves_between
from insights.timeline.read import read_timeline

LOOKED_BACK: Final = 50
"""Patterns that are looked through for a visit, the latest."""
FORWARD: Final = timedelta(days=366)
_EVERYBODY: Final = 200_000


@dataclass(frozen=True, slots=True)
class Entrance:
    """``assumed``: in words, what did not happen and is taken as if it had; None where it did."""

    case: Case
    assumed: str | None = None


async def entrance_of(tx: AsyncSession, project_id: UUID, flow: FlowDefinition, session_id: UUID) -> Entrance:
    """How a session comes into a flow. Raises NotFound where there is no such session, or no insight where one is asked
    for."""
    visit = await tx.get(Session, (project_id, session_id))
    if visit is None:
        raise NotFound(f"There is no session {session_id} in this project.")
    ended = visit.closed_at or visit.last_event_at
    match flow.trigger:
        case InsightTrigger():
            trigger, at, assumed = await trigger_of_session(tx, project_id, session_id), ended, None
        case EventTrigger() as rule:
            trigger, at, assumed = await _by_event(tx, project_id, rule, visit)
        case SegmentTrigger() as rule:
            trigger, at, assumed = await _by_move(tx, project_id, rule, visit, ended)
        case ScheduleTrigger() as rule:
            trigger, at, assumed = await _by_turn(tx, project_id, rule, visit, ended)
        case PatternTrigger() as rule:
            trigger, at, assumed = await _by_pattern(tx, project_id, rule, visit, ended)
        case _:
            trigger, at, assumed = called(visit.visitor_id, ended), ended, "A call for them as this visit ended."
    if trigger.visitor_id == NOBODY:
        return Entrance(Case(trigger, at, (NOBODY,), session_id), assumed)
    timeline = await read_timeline(tx, project_id, session_id)
    if timeline.events:
        trigger = replace(trigger, facts={**visit_facts(timeline), **trigger.facts})
    together = await visitors_together(tx, project_id, [trigger.visitor_id])
    return Entrance(Case(trigger, at, together[trigger.visitor_id], session_id), assumed)


_Found = tuple[Trigger, datetime, str | None]


async def _by_event(tx: AsyncSession, project_id: UUID, rule: EventTrigger, visit: Session) -> _Found:
    found = await event_of_session(tx, project_id, rule, visit.id)
    if found is not None:
        return *found, None
    facts: dict[str, Any] = {
        "type": rule.event,
        "props": {**rule.props, **({"name": rule.name} if rule.name is not None else {})},
        "url": None,
        "session_id": str(visit.id),
    }
    trigger = Trigger(
        "event", "event:assumed", "event:assumed", visit.visitor_id, visit.last_event_at, {"event": facts}
    )
    return trigger, visit.last_event_at, f"No such event ({rule.event}) is in this visit: as if it had been its last."


async def _by_move(tx: AsyncSession, project_id: UUID, rule: SegmentTrigger, visit: Session, ended: datetime) -> _Found:
    entered = rule.change == "entered"
    began = visit.last_event_at - timedelta(days=1)
    # The first one that came of this visit or after it.
    moves = await moves_between(
        tx, project_id, rule.segment, began, ended + FORWARD, entered=entered, visitors=[visit.visitor_id]
    )
    after = sorted(at for at, _ in moves if at >= min(visit.last_event_at, ended))
    if after:
        return moved(rule, visit.visitor_id, after[0]), after[0], None
    change = "come into" if entered else "fallen out of"
    said = f"They are not known to have {change} {rule.segment} since: as if they had when the visit ended."
    return moved(rule, visit.visitor_id, ended), ended, said


async def _by_turn(
    tx: AsyncSession, project_id: UUID, rule: ScheduleTrigger, visit: Session, ended: datetime
) -> _Found:
    turn = next_turn(rule, ended)
    if visit.visitor_id in await inside_at(tx, project_id, rule.segment, turn, _EVERYBODY):
        return turned(rule, visit.visitor_id, turn), turn, None
    said = f"They are not known to be in {rule.segment} at the next turn of the calendar: as if they were."
    return turned(rule, visit.visitor_id, turn), turn, said


async def _by_pattern(
    tx: AsyncSession, project_id: UUID, rule: PatternTrigger, visit: Session, ended: datetime
) -> _Found:
    rows = await tx.scalars(
        select(Pattern)
        .where(Pattern.project_id == project_id, Pattern.found_at >= visit.last_event_at)
        .order_by(Pattern.found_at)
        .limit(LOOKED_BACK)
    )
    wanted = NOBODY if rule.each == "shop" else visit.visitor_id
    for pattern in rows.all():
        if str(visit.id) not in pattern.session_ids and rule.each == "shop":
            continue
        for trigger in await triggers_of_pattern(tx, project_id, pattern):
            if trigger.visitor_id == wanted and matches(rule, trigger):
                return trigger, trigger.occurred_at, None
    insight = await tx.scalar(
        select(Insight).where(
            Insight.project_id == project_id, Insight.session_id == visit.id, Insight.superseded_at.is_(None)
        )
    )
    facts = {
        "pattern": {
            "kind": insight.kind if insight is not None else "abandoned",
            "reason": next(iter(rule.reasons), insight.reason if insight is not None else "unclear"),
            "direction": rule.direction or "up",
            "page": visit.exit_path,
            "sessions": max(1, rule.min_sessions),
            "narrative": insight.narrative if insight is not None else "",
        }
    }
    key = "pattern:assumed"
    said = "No pattern that the flow asks for was found with this visit behind it: as if one had, when the visit ended."
    return Trigger("pattern", key, key, wanted, ended, facts), ended, said
