"""Reads who would have come into a flow by segments: who moved, and whom a schedule found there."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import ScheduleTrigger, SegmentTrigger
from flows.ports import Trigger
from flows.watching import next_turn
from insights.building.rehearsed import Case
from insights.building.scenes import placed
from insights.segments.moves import inside_at, moves_between

MOST_TURNS: Final = 400
"""Of a schedule in the time; the latest."""


async def segment_cases(
    tx: AsyncSession, project_id: UUID, rule: SegmentTrigger, since: datetime, until: datetime, most: int
) -> list[Case]:
    """The latest moves, as they were noted."""
    entered = rule.change == "entered"
    moves = await moves_between(tx, project_id, rule.segment, since, until, entered=entered, most=most)
    return await placed(tx, project_id, [(moved(rule, visitor, at), at) for at, visitor in moves])


async def schedule_cases(
    tx: AsyncSession, project_id: UUID, rule: ScheduleTrigger, since: datetime, until: datetime, most: int
) -> list[Case]:
    """Everybody who was in the segment, at each turn that the calendar had: the latest turns first."""
    happened: list[tuple[Trigger, datetime]] = []
    for turn in reversed(turns_between(rule, since, until)):
        inside = await inside_at(tx, project_id, rule.segment, turn, most - len(happened))
        happened += [(turned(rule, visitor, turn), turn) for visitor in inside]
        if len(happened) >= most:
            break
    return await placed(tx, project_id, happened)


def turns_between(rule: ScheduleTrigger, since: datetime, until: datetime) -> list[datetime]:
    """When the schedule was due after ``since`` and before ``until``, the latest 400 times. Pure."""
    turns: list[datetime] = []
    turn = next_turn(rule, since)
    while turn < until:
        turns.append(turn)
        turn = next_turn(rule, turn)
    return turns[-MOST_TURNS:]


def moved(rule: SegmentTrigger, visitor_id: UUID, at: datetime) -> Trigger:
    """What the engine makes of a move."""
    key = f"segment:{rule.segment}:{at.isoformat()}:{visitor_id}"
    return Trigger("segment", key, key, visitor_id, at, {"segment": {"name": rule.segment, "change": rule.change}})


def turned(rule: ScheduleTrigger, visitor_id: UUID, at: datetime) -> Trigger:
    """What the engine makes of a turn for one member."""
    key = f"schedule:{at.isoformat()}:{visitor_id}"
    return Trigger("schedule", key, key, visitor_id, at, {"schedule": {"segment": rule.segment}})
