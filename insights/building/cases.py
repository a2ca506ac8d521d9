"""A visit as it would start a flow: the facts of one session, with its insight."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Trigger
from insights.errors import NotFound
from insights.models import Insight, Session
from insights.recovery.trigger import insight_trigger
from insights.timeline.read import read_timeline


async def trigger_of_session(tx: AsyncSession, project_id: UUID, session_id: UUID) -> Trigger:
    """What a session with an insight starts flows with. Raises NotFound where there is no such session or insight."""
    timeline = await read_timeline(tx, project_id, session_id)
    insight = await tx.scalar(
        select(Insight).where(
            Insight.project_id == project_id, Insight.session_id == session_id, Insight.superseded_at.is_(None)
        )
    )
    if insight is None or not timeline.events:
        raise NotFound(f"The session {session_id} has no insight yet: it appears after the session closes.")
    return insight_trigger(
        timeline,
        insight_id=insight.id,
        kind=insight.kind,
        reason=insight.reason,
        confidence=insight.confidence,
        narrative=insight.narrative,
    )


async def last_session_of(tx: AsyncSession, project_id: UUID, visitor_id: UUID, explained: bool = True) -> UUID:
    """The visitor's latest session, or the latest that is ``explained`` by an insight. Raises NotFound."""
    query = (
        select(Session.id)
        .where(Session.project_id == project_id, Session.visitor_id == visitor_id)
        .order_by(Session.id.desc())
        .limit(1)
    )
    if explained:
        query = query.join(
            Insight, (Insight.project_id == Session.project_id) & (Insight.session_id == Session.id)
        ).where(Insight.superseded_at.is_(None))
    found = await tx.scalar(query)
    if found is None:
        kind = "closed visit with an insight" if explained else "visit"
        raise NotFound(f"The visitor {visitor_id} has no {kind} in this project.")
    return found
