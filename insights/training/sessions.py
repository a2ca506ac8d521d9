"""Reads a project's closed sessions as examples, visitor by visitor, each folded again event by event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.intents.examples import Example, examples
from insights.models import Event, Session
from insights.timeline.read import IN_VISIT
from insights.timeline.timeline import TimelineEvent

VISITORS_AT_A_TIME: Final = 200
MOST_SESSIONS: Final = 50_000
LONGEST: Final = 1_000
"""Events of one session that are folded: more are a machine's."""

Visits = list[tuple[UUID, Sequence[TimelineEvent]]]


async def read_examples(
    database: Database,
    project_id: UUID,
    *,
    since: datetime,
    most: int = MOST_SESSIONS,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> list[Example]:
    """Examples of the latest ``most`` closed sessions that began at ``since`` or later.

    By visitor, not by person: that two visitors are one is often learned after the visit, and would be told ahead.
    ``told`` hears (visitors read, of how many).
    """
    async with database.transaction(project_id) as tx:
        latest = (
            select(Session.id, Session.visitor_id)
            .where(Session.project_id == project_id, Session.closed_at.is_not(None), Session.started_at >= since)
            .order_by(Session.started_at.desc(), Session.id)
            .limit(most)
        )
        theirs: dict[UUID, list[UUID]] = {}
        for session_id, visitor_id in await tx.execute(latest):
            theirs.setdefault(visitor_id, []).append(session_id)
    visitors = sorted(theirs)
    found: list[Example] = []
    for at in range(0, len(visitors), VISITORS_AT_A_TIME):
        part = visitors[at : at + VISITORS_AT_A_TIME]
        wanted = [session for visitor in part for session in theirs[visitor]]
        for visits in (await _visits(database, project_id, wanted)).values():
            found.extend(examples(visits))
        told(min(at + VISITORS_AT_A_TIME, len(visitors)), len(visitors))
    return found


async def _visits(database: Database, project_id: UUID, sessions: Sequence[UUID]) -> dict[UUID, Visits]:
    columns = (Event.id, Event.occurred_at, Event.type, Event.tab, Event.seq, Event.url, Event.props)
    async with database.transaction(project_id) as tx:
        rows = (
            await tx.execute(
                select(Event.visitor_id, Event.session_id, *columns)
                .where(Event.project_id == project_id, Event.session_id.in_(sessions), IN_VISIT)
                .order_by(Event.visitor_id, Event.session_id, Event.occurred_at, Event.tab, Event.seq, Event.id)
            )
        ).all()
    found: dict[UUID, Visits] = {}
    for (visitor_id, session_id), group in groupby(rows, key=lambda row: (row[0], row[1])):
        events = [TimelineEvent(*row[2:]) for row in group][:LONGEST]
        found.setdefault(visitor_id, []).append((session_id, events))
    return found
