"""Sessions over HTTP: list, read with timeline and insight, close, classify again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, func, select, tuple_

from insights.api.caller import SecretCaller
from insights.api.paging import Cursor, page_end
from insights.api.services import FromRequest
from insights.api.whole_names import event_shown_to
from insights.errors import NotFound, SessionStillOpen
from insights.evaluation.feedback import Said, say
from insights.models import Insight, Session
from insights.timeline.read import read_timeline
from insights.vocabulary.page_end import PageEnd
from insights.vocabulary.reasons import Reason

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


class InsightOut(BaseModel):
    """Why a session ended as it did. ``classifier`` says who spoke, ``fallback`` why a model did not."""

    id: UUID
    kind: str
    reason: str
    confidence: float = Field(ge=0, le=1)
    narrative: str
    evidence: list[UUID]
    suggested_actions: list[dict[str, Any]]
    classifier: str
    fallback: str | None
    calls: int = Field(ge=0, description="Questions that this insight took; 0: rules, or an answer from before.")
    tokens_in: int = Field(ge=0)
    tokens_out: int = Field(ge=0)
    cost_micros: int | None = Field(description="Millionths of the currency of the prices; null: prices unknown.")
    created_at: datetime


class SessionOut(BaseModel):
    """One visit. ``closed_at`` is null while it is open; money is in minor units."""

    id: UUID
    visitor_id: UUID
    started_at: datetime
    last_event_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    event_count: int | None
    landing_path: str | None
    exit_path: str | None
    stage: str | None
    purchased: bool | None
    cart_value_minor: int | None
    currency: str | None
    insight: InsightOut | None = None


class EventOut(BaseModel):
    """One event of a timeline."""

    id: UUID
    at: datetime
    type: str
    tab: str
    seq: int
    url: str | None
    props: dict[str, Any]


class SessionWithTimeline(SessionOut):
    """A visit and everything that happened in it, in order."""

    events: list[EventOut]


class SessionPage(BaseModel):
    """One page of a list. Pass ``next`` as ``cursor`` for the page after it; null on the last."""

    sessions: list[SessionOut]
    next: str | None


class Closed(BaseModel):
    """The session will be classified within seconds."""

    id: UUID
    close_at: datetime


@router.get("", response_model=SessionPage)
async def list_sessions(
    caller: SecretCaller,
    services: FromRequest,
    reason: Reason | None = None,
    open: bool | None = Query(None, description="Only open (true) or only closed (false) sessions."),
    limit: int = Query(50, ge=1, le=500),
    cursor: Cursor = None,
) -> SessionPage:
    """The project's sessions, newest first."""
    query = _explained(caller.project_id).order_by(Session.started_at.desc(), Session.id.desc()).limit(limit + 1)
    if reason is not None:
        query = query.where(Insight.reason == reason.value)
    if open is not None:
        query = query.where(Session.closed_at.is_(None) if open else Session.closed_at.is_not(None))
    if (end := page_end(cursor)) is not None:
        query = query.where(tuple_(Session.started_at, Session.id) < end)
    async with services.database.transaction(caller.project_id) as tx:
        rows = (await tx.execute(query)).all()
    page = [session_out(session, insight) for session, insight in rows[:limit]]
    following = str(PageEnd(page[-1].started_at, page[-1].id)) if len(rows) > limit else None
    return SessionPage(sessions=page, next=following)


@router.get("/{session_id}", response_model=SessionWithTimeline)
async def get_session(session_id: UUID, caller: SecretCaller, services: FromRequest) -> SessionWithTimeline:
    """One session with its timeline and, once it is closed, its insight."""
    async with services.database.transaction(caller.project_id) as tx:
        # First the insight, then the events: what it cites is among them, whenever the session is closed.
        query = _explained(caller.project_id).where(Session.id == session_id)
        row = (await tx.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"There is no session {session_id} in this project.")
        timeline = await read_timeline(tx, caller.project_id, session_id)
    events = [
        EventOut(
            id=e.id,
            at=e.at,
            type=e.type,
            tab=e.tab,
            seq=e.seq,
            url=url,
            props=props,
        )
        for e in timeline.events
        for url, props in [event_shown_to(caller, e.type, e.url, e.props)]
    ]
    return SessionWithTimeline(**session_out(*row).model_dump(), events=events)


def _explained(project_id: UUID) -> Select[Session, Insight | None]:
    """Sessions, each with its insight or None, as they stood in one moment."""
    insight = (
        (Insight.project_id == Session.project_id)
        & (Insight.session_id == Session.id)
        & Insight.superseded_at.is_(None)
    )
    return select(Session, Insight).outerjoin(Insight, insight).where(Session.project_id == project_id)


@router.post("/{session_id}/close", status_code=202, response_model=Closed)
async def close_session(session_id: UUID, caller: SecretCaller, services: FromRequest) -> Closed:
    """Closes a session now: for kiosks, imports and tests. Closing it again changes nothing."""
    now = datetime.now(UTC)
    async with services.database.transaction(caller.project_id) as tx:
        session = await tx.get(Session, (caller.project_id, session_id), with_for_update=True)
        if session is None:
            raise NotFound(
                f"There is no session {session_id} in this project. It exists once an event of it was stored."
            )
        if session.close_at is not None:
            session.close_at = min(session.close_at, now)
            session.close_reason = "explicit"
            await tx.execute(select(func.pg_notify("session_close", "")))
        return Closed(id=session_id, close_at=session.close_at or session.closed_at or now)


@router.post("/{session_id}/reclassify", response_model=InsightOut)
async def reclassify(
    session_id: UUID,
    caller: SecretCaller,
    services: FromRequest,
    fresh: bool = Query(False, description="Ask the model anew, even if the very same question was answered before."),
) -> InsightOut:
    """Names the reason of a closed session again, with the classifier as it is configured now."""
    async with services.database.transaction(caller.project_id) as tx:
        session = await tx.get(Session, (caller.project_id, session_id))
    if session is None:
        raise NotFound(f"There is no session {session_id} in this project.")
    if session.closed_at is None:
        raise SessionStillOpen("This session is open. Its insight appears after it closes; POST …/close closes it now.")
    await services.closer.classify_session(caller.project_id, session_id, fresh=fresh)
    async with services.database.transaction(caller.project_id) as tx:
        insight = (
            await tx.execute(
                select(Insight).where(
                    Insight.project_id == caller.project_id,
                    Insight.session_id == session_id,
                    Insight.superseded_at.is_(None),
                )
            )
        ).scalar_one()
    return _insight_out(insight)


class Feedback(BaseModel):
    """What a person says of an insight: right, wrong, or other with the reason that it is."""

    said: Said
    reason: Reason | None = None


class FeedbackOut(BaseModel):
    """What is kept of it."""

    session_id: UUID
    said: Said
    reason: Reason | None
    said_at: datetime


@router.post("/{session_id}/feedback", response_model=FeedbackOut)
async def give_feedback(
    session_id: UUID, feedback: Feedback, caller: SecretCaller, services: FromRequest
) -> FeedbackOut:
    """Says whether an insight is right. The last word counts; right and other become gold for `whyleft eval`."""
    async with services.database.transaction(caller.project_id) as tx:
        kept = await say(tx, caller.project_id, session_id, feedback.said, feedback.reason, datetime.now(UTC))
        return FeedbackOut.model_validate(kept, from_attributes=True)


def _insight_out(insight: Insight) -> InsightOut:
    return InsightOut.model_validate(insight, from_attributes=True)


def session_out(session: Session, insight: Insight | None) -> SessionOut:
    """A session as the API tells of it."""
    out = SessionOut.model_validate(session, from_attributes=True)
    out.insight = _insight_out(insight) if insight is not None else None
    return out
