"""Reads everything that is known of one session: its events, what was decided, what was said of it, who it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.identity.together import person_of
from insights.intents.model import IntentModel
from insights.learning.overview import weights_by_name
from insights.models import ITS_INSIGHT, Decision, Event, Insight, InsightFeedback, Session, Visitor
from insights.policies.sums import Floats
from insights.timeline.assemble import Summary, assemble, summarise
from insights.timeline.read import IN_VISIT, read_timeline
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.training.in_use import read_intent, read_intent_named
from insights.viewer.matching import CAME_TO

MOST_OTHERS = 20
EARLIER_SESSIONS = 10
EARLIER_EVENTS = 2_000


@dataclass(frozen=True, slots=True)
class Other:
    """Another session of the same person, on this device or another."""

    session: Session
    kind: str | None
    reason: str | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class OneSession:
    """``summary`` is as of now (None without events). ``insight`` is the current one, ``history`` those before it,
    ``feedback`` what a person said of it.

    ``earlier``: (session id, event) of the person's latest sessions before this one, in order. ``others``: newest
    first, the latest of them. ``intent``: the model of the last decision, or the one in use.
    """

    session: Session
    visitor: Visitor | None
    timeline: Timeline
    summary: Summary | None
    insight: Insight | None
    history: tuple[Insight, ...]
    feedback: InsightFeedback | None
    decisions: tuple[Decision, ...]
    weights: Mapping[str, Floats]
    earlier: tuple[tuple[UUID, TimelineEvent], ...]
    intent: IntentModel
    others: tuple[Other, ...]

    @property
    def is_open(self) -> bool:
        """Whether more events may come."""
        return self.session.closed_at is None


async def read_session(tx: AsyncSession, project_id: UUID, session_id: UUID) -> OneSession:
    """One session of the project. Raises NotFound."""
    timeline = await read_timeline(tx, project_id, session_id)
    session = await tx.get_one(Session, (project_id, session_id))
    said = (
        await tx.scalars(
            select(Insight)
            .where(Insight.project_id == project_id, Insight.session_id == session_id)
            .order_by(Insight.created_at.desc(), Insight.id.desc())
        )
    ).all()
    decisions = (
        await tx.scalars(
            select(Decision)
            .where(Decision.project_id == project_id, Decision.session_id == session_id)
            .order_by(Decision.decided_at, Decision.id)
        )
    ).all()
    person = await person_of(tx, project_id, session.visitor_id)
    others = await _others(tx, project_id, session, person)
    return OneSession(
        session=session,
        visitor=await tx.get(Visitor, (project_id, session.visitor_id)),
        timeline=timeline,
        summary=summarise(timeline) if timeline.events else None,
        insight=next((insight for insight in said if insight.superseded_at is None), None),
        feedback=await tx.get(InsightFeedback, (project_id, session_id)),
        history=tuple(insight for insight in said if insight.superseded_at is not None),
        decisions=tuple(decisions),
        weights=await weights_by_name(tx, project_id, {decision.policy for decision in decisions}),
        earlier=await _earlier(tx, project_id, session, person),
        intent=await _intent(tx, project_id, decisions),
        others=others,
    )


async def _intent(tx: AsyncSession, project_id: UUID, decisions: Sequence[Decision]) -> IntentModel:
    if decisions:
        return await read_intent_named(tx, project_id, str(decisions[-1].intent.get("model", "")))
    return await read_intent(tx, project_id)


async def _others(tx: AsyncSession, project_id: UUID, session: Session, person: tuple[UUID, ...]) -> tuple[Other, ...]:
    rows = await tx.execute(
        select(Session, CAME_TO, Insight.reason, Insight.confidence)
        .outerjoin(Insight, ITS_INSIGHT)
        .where(Session.project_id == project_id, Session.visitor_id.in_(person), Session.id != session.id)
        .order_by(Session.started_at.desc(), Session.id)
        .limit(MOST_OTHERS)
    )
    return tuple(Other(*row) for row in rows)


async def _earlier(
    tx: AsyncSession, project_id: UUID, session: Session, person: tuple[UUID, ...]
) -> tuple[tuple[UUID, TimelineEvent], ...]:
    ids = (
        await tx.scalars(
            select(Session.id)
            .where(Session.project_id == project_id, Session.visitor_id.in_(person), Session.id < session.id)
            .order_by(Session.id.desc())
            .limit(EARLIER_SESSIONS)
        )
    ).all()
    if not ids:
        return ()
    rows = await tx.execute(
        select(Event.session_id, Event.id, Event.occurred_at, Event.type, Event.tab, Event.seq, Event.url, Event.props)
        .where(Event.project_id == project_id, Event.session_id.in_(ids), IN_VISIT)
        .order_by(Event.occurred_at.desc())
        .limit(EARLIER_EVENTS)
    )
    by_session: dict[UUID, list[TimelineEvent]] = {}
    for session_id, *values in rows:
        by_session.setdefault(session_id, []).append(TimelineEvent(*values))
    return tuple(
        (session_id, event)
        for session_id in sorted(by_session)
        for event in assemble(project_id, session_id, session.visitor_id, by_session[session_id]).events
    )
