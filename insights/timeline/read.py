"""Reads the timelines of sessions from the store: many in a few statements."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import CollectionAggregate

from insights.errors import NotFound
from insights.events.orders import COUNTS_HERE
from insights.identity.together import visitors_together
from insights.models import Event, Session
from insights.timeline.assemble import assemble
from insights.timeline.timeline import PriorVisits, Timeline, TimelineEvent
from insights.vocabulary.events import AFTERWARDS

IN_VISIT = and_(Event.type.not_in(sorted(AFTERWARDS)), COUNTS_HERE)
"""Which of a session's stored events are part of its timeline."""


# Earlier by id, not by close: a session's id carries its start, which never changes.
_BEFORE = text("""
SELECT own.session_id, count(*), count(*) FILTER (WHERE earlier.purchased), max(earlier.last_event_at)
FROM unnest(CAST(:sessions AS uuid[]), CAST(:visitors AS uuid[])) AS own(session_id, visitor_id)
JOIN session AS earlier ON earlier.project_id = :project AND earlier.visitor_id = own.visitor_id
    AND earlier.id < own.session_id
GROUP BY own.session_id
""")


async def read_timeline(tx: AsyncSession, project_id: UUID, session_id: UUID) -> Timeline:
    """The timeline of one session, with what was known of its visitor's person before. Raises NotFound."""
    found = await read_timelines(tx, project_id, [session_id])
    if session_id not in found:
        raise NotFound(f"There is no session {session_id} in this project.")
    return found[session_id]


async def read_timelines(tx: AsyncSession, project_id: UUID, session_ids: Collection[UUID]) -> dict[UUID, Timeline]:
    """The timelines of those of ``session_ids`` that there are, each with what was known of its visitor's person
    before."""
    wanted = _any(session_ids)
    sessions = await tx.execute(
        select(Session.id, Session.visitor_id).where(Session.project_id == project_id, Session.id == wanted)
    )
    visitors = {row[0]: row[1] for row in sessions}
    together = await visitors_together(tx, project_id, set(visitors.values()))
    own = [(session_id, other) for session_id, visitor in visitors.items() for other in together[visitor]]
    before = await tx.execute(
        _BEFORE, {"project": project_id, "sessions": [one for one, _ in own], "visitors": [other for _, other in own]}
    )
    priors = {row[0]: PriorVisits(sessions=row[1], purchases=row[2], last_seen_at=row[3]) for row in before}
    events: dict[UUID, list[TimelineEvent]] = {session_id: [] for session_id in visitors}
    for row in await tx.execute(
        select(
            Event.session_id, Event.id, Event.occurred_at, Event.type, Event.tab, Event.seq, Event.url, Event.props
        ).where(Event.project_id == project_id, Event.session_id == wanted, IN_VISIT)
    ):
        of_session = events.get(row[0])
        if of_session is not None:
            of_session.append(TimelineEvent(*row[1:]))
    return {
        session_id: assemble(project_id, session_id, visitor_id, events[session_id], priors.get(session_id))
        for session_id, visitor_id in visitors.items()
    }


async def count_events(tx: AsyncSession, project_id: UUID, session_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many events the timeline of each session has now; a session without any is not among them."""
    rows = await tx.execute(
        select(Event.session_id, func.count())
        .where(Event.project_id == project_id, Event.session_id == _any(session_ids), IN_VISIT)
        .group_by(Event.session_id)
    )
    return {row[0]: row[1] for row in rows}


def _any(ids: Collection[UUID]) -> CollectionAggregate[bool]:
    """An array is one parameter however long it is: one statement, planned once."""
    return any_(literal(list(ids), ARRAY(Uuid)))
