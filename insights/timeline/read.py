"""Reads a session's timeline from the store."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import NotFound
from insights.identity.together import person_of
from insights.models import Event, Session
from insights.timeline.assemble import assemble
from insights.timeline.timeline import PriorVisits, Timeline, TimelineEvent
from insights.vocabulary.events import AFTERWARDS

IN_VISIT = Event.type.not_in(sorted(AFTERWARDS))
"""Which of a session's stored events are part of its timeline."""


async def read_timeline(tx: AsyncSession, project_id: UUID, session_id: UUID) -> Timeline:
    """The timeline of one session, with what was known of its visitor's person before. Raises NotFound."""
    session = await tx.get(Session, (project_id, session_id))
    if session is None:
        raise NotFound(f"There is no session {session_id} in this project.")
    rows = await tx.execute(
        select(Event.id, Event.occurred_at, Event.type, Event.tab, Event.seq, Event.url, Event.props).where(
            Event.project_id == project_id, Event.session_id == session_id, IN_VISIT
        )
    )
    events = [TimelineEvent(*row) for row in rows]
    # Earlier by id, not by close: a session's id carries its start, which never changes.
    earlier = (
        await tx.execute(
            select(
                func.count(),
                func.count().filter(Session.purchased.is_(True)),
                func.max(Session.last_event_at),
            ).where(
                Session.project_id == project_id,
                Session.visitor_id.in_(await person_of(tx, project_id, session.visitor_id)),
                Session.id < session_id,
            )
        )
    ).one()
    prior = PriorVisits(sessions=earlier[0], purchases=earlier[1], last_seen_at=earlier[2])
    return assemble(project_id, session_id, session.visitor_id, events, prior)
