"""Reads the visits in which people were at certain moments, for triggers that belong to no visit themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Trigger
from insights.building.rehearsed import Case
from insights.identity.together import visitors_together
from insights.models import Session
from insights.recovery.trigger import visit_facts
from insights.timeline.read import read_timelines

MOST_VISITS: Final = 20_000


async def placed(tx: AsyncSession, project_id: UUID, happened: Sequence[tuple[Trigger, datetime]]) -> list[Case]:
    """The cases of triggers, each with when the engine heard of it and with the facts of the last visit before that."""
    visitors = {trigger.visitor_id for trigger, _ in happened}
    rows = await tx.execute(
        select(Session.visitor_id, Session.id, Session.last_event_at)
        .where(Session.project_id == project_id, Session.visitor_id.in_(visitors))
        .order_by(Session.last_event_at.desc(), Session.id.desc())
        .limit(MOST_VISITS)
    )
    visits: dict[UUID, list[tuple[datetime, UUID]]] = defaultdict(list)
    for row in rows:
        visits[row.visitor_id].append((row.last_event_at, row.id))
    sessions = [
        next((session for ended, session in visits[trigger.visitor_id] if ended <= at), None)
        for trigger, at in happened
    ]
    timelines = await read_timelines(tx, project_id, {one for one in sessions if one is not None})
    together = await visitors_together(tx, project_id, visitors)
    cases = []
    for (trigger, at), session in zip(happened, sessions, strict=True):
        timeline = timelines.get(session) if session is not None else None
        if timeline is not None and timeline.events:
            trigger = replace(trigger, facts={**visit_facts(timeline), **trigger.facts})
        cases.append(Case(trigger, at, together[trigger.visitor_id], session))
    return cases
