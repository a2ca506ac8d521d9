"""A page of the sessions that match, newest first, each with what its list row shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, distinct, exists, func, or_, select
from sqlalchemy import Row as FoundRow
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import ITS_INSIGHT, Event, Insight, Session, Visitor
from insights.timeline.assemble import cart_after
from insights.timeline.read import IN_VISIT
from insights.timeline.timeline import TimelineEvent
from insights.viewer.filters import Cursor, Filters
from insights.viewer.matching import CAME_TO, matching, page_path

PAGE_SIZE = 50
WATCHED = timedelta(days=1)
"""How long ago a visit may have begun that a live list still follows."""

PROBLEM_TYPES = ("request_failed", "js_error", "rage_click", "dead_click")
CART_TYPES = ("cart_added", "cart_removed", "checkout_started", "purchased")


@dataclass(frozen=True, slots=True)
class Row:
    """One session of the list. ``kind`` and ``reason`` are None while nothing has been said of it.

    The counts, paths and the cart are as of now, also for a session that is still open.
    """

    id: UUID
    visitor_id: UUID
    who: str | None
    started_at: datetime
    last_event_at: datetime
    open: bool
    kind: str | None
    reason: str | None
    confidence: float | None
    landing: str | None
    exit: str | None
    cart_minor: int | None
    currency: str | None
    bought: bool
    stage: str | None
    events: int
    pages: int
    problems: int
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionPage:
    """A page of the list, and the cursors of its neighbours."""

    rows: tuple[Row, ...]
    newer: Cursor | None
    older: Cursor | None


async def any_session(tx: AsyncSession, project_id: UUID) -> bool:
    """Whether the project has ever had a session."""
    return bool(await tx.scalar(select(exists().where(Session.project_id == project_id))))


async def read_changed(
    tx: AsyncSession, project_id: UUID, filters: Filters, since: datetime, now: datetime, most: int
) -> tuple[Row, ...]:
    """The filtered sessions that an event came to, or that closed, after ``since``, the latest last."""
    query = (
        _rows()
        .where(*matching(filters, project_id, now))
        # The first condition is what finds them; what began longer ago is not watched any more.
        .where(Session.started_at >= since - WATCHED, or_(Session.last_received_at > since, Session.closed_at > since))
        .order_by(Session.last_received_at.desc(), Session.id)
    )
    found = (await tx.execute(query.limit(most))).all()
    return (await _described(tx, project_id, found))[::-1]


async def read_page(
    tx: AsyncSession,
    project_id: UUID,
    filters: Filters,
    cursor: Cursor | None,
    now: datetime,
    size: int = PAGE_SIZE,
) -> SessionPage:
    """The filtered sessions next to ``cursor`` (the newest without one), newest first."""
    return await _page_of(tx, project_id, _rows().where(*matching(filters, project_id, now)), cursor, size)


async def _page_of(
    tx: AsyncSession,
    project_id: UUID,
    query: Select[Session, str],
    cursor: Cursor | None,
    size: int,
) -> SessionPage:
    backwards = cursor is not None and not cursor.older
    if cursor is not None:
        query = query.where(_beside(cursor))
    if backwards:
        query = query.order_by(Session.started_at.asc(), Session.id.desc())
    else:
        query = query.order_by(Session.started_at.desc(), Session.id.asc())
    found = list((await tx.execute(query.limit(size + 1))).all())
    more = len(found) > size
    del found[size:]
    if backwards:
        found.reverse()
    rows = await _described(tx, project_id, found)
    if not rows:
        return SessionPage((), None, None)
    first, last = rows[0], rows[-1]
    return SessionPage(
        rows,
        Cursor(first.started_at, first.id, older=False) if (more if backwards else cursor is not None) else None,
        Cursor(last.started_at, last.id, older=True) if (backwards or more) else None,
    )


async def read_where(
    tx: AsyncSession, project_id: UUID, condition: ColumnElement[bool], cursor: Cursor | None, size: int = PAGE_SIZE
) -> SessionPage:
    """The sessions that any condition on sessions asks for, next to ``cursor``, newest first."""
    return await _page_of(tx, project_id, _rows().where(condition), cursor, size)


def _rows() -> Select[Session, str]:
    return select(Session, CAME_TO)


async def _described(tx: AsyncSession, project_id: UUID, found: Sequence[FoundRow[Session, str]]) -> tuple[Row, ...]:
    ids = [session.id for session, _ in found]
    said = await _said(tx, project_id, ids)
    counted = await _counted(tx, project_id, ids)
    carts = await _open_carts(tx, project_id, [session.id for session, _ in found if session.closed_at is None])
    return tuple(
        _row(session, kind, said.get(session.id, _Said()), counted.get(session.id, _Counted()), carts)
        for session, kind in found
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """How sure its insight is, and what its visitor goes by."""

    confidence: float | None = None
    who: str | None = None


async def _said(tx: AsyncSession, project_id: UUID, ids: Sequence[UUID]) -> dict[UUID, _Said]:
    """Asked for the rows of a page alone: joined before the page is cut, whole tables would be."""
    if not ids:
        return {}
    rows = await tx.execute(
        select(Session.id, Insight.confidence, func.coalesce(Visitor.email, Visitor.user_id))
        .outerjoin(Insight, ITS_INSIGHT)
        .outerjoin(Visitor, and_(Visitor.project_id == Session.project_id, Visitor.id == Session.visitor_id))
        .where(Session.project_id == project_id, Session.id.in_(ids))
    )
    return {session_id: _Said(confidence, who) for session_id, confidence, who in rows}


def _beside(cursor: Cursor) -> ColumnElement[bool]:
    # The first comparison alone bounds the index; the second settles sessions that began in the same microsecond.
    at, session_id = cursor.started_at, cursor.session_id
    if cursor.older:
        return and_(Session.started_at <= at, or_(Session.started_at < at, Session.id > session_id))
    return and_(Session.started_at >= at, or_(Session.started_at > at, Session.id < session_id))


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the stored events of one session say of it now."""

    events: int = 0
    pages: int = 0
    problems: int = 0
    landing: str | None = None
    exit: str | None = None
    bought: bool = False
    shown: tuple[str, ...] = ()


async def _counted(tx: AsyncSession, project_id: UUID, ids: Sequence[UUID]) -> dict[UUID, _Counted]:
    """Session → its counts. The ids lead straight to the rows."""
    if not ids:
        return {}
    path = page_path()
    paths = func.array_agg(aggregate_order_by(path, Event.occurred_at, Event.tab, Event.seq, Event.id))
    result = await tx.execute(
        select(
            Event.session_id,
            func.count(),
            func.count().filter(Event.type == "page_viewed"),
            func.count().filter(Event.type.in_(PROBLEM_TYPES)),
            paths.filter(path.is_not(None)),
            func.bool_or(Event.type == "purchased"),
            func.array_agg(distinct(Event.props["action"].astext)).filter(Event.type == "action_shown"),
        )
        .where(Event.project_id == project_id, Event.session_id.in_(ids), IN_VISIT)
        .group_by(Event.session_id)
    )
    return {
        session_id: _Counted(
            events,
            pages,
            problems,
            landing=paths[0] if paths else None,
            exit=paths[-1] if paths else None,
            bought=bought,
            shown=tuple(sorted(action for action in shown or () if action)),
        )
        for session_id, events, pages, problems, paths, bought, shown in result
    }


async def _open_carts(
    tx: AsyncSession, project_id: UUID, ids: Sequence[UUID]
) -> dict[UUID, tuple[int | None, str | None]]:
    """Session → what is in its cart now; a summary is only as of the last close."""
    if not ids:
        return {}
    result = await tx.execute(
        select(Event.session_id, Event.id, Event.occurred_at, Event.type, Event.props)
        .where(Event.project_id == project_id, Event.session_id.in_(ids), Event.type.in_(CART_TYPES), IN_VISIT)
        .order_by(Event.session_id, Event.occurred_at, Event.tab, Event.seq, Event.id)
    )
    events: dict[UUID, list[TimelineEvent]] = {}
    for session_id, event_id, at, kind, props in result:
        events.setdefault(session_id, []).append(TimelineEvent(event_id, at, kind, props=props))
    return {session_id: cart_after(its) for session_id, its in events.items()}


def _row(
    session: Session,
    kind: str | None,
    said: _Said,
    counted: _Counted,
    carts: dict[UUID, tuple[int | None, str | None]],
) -> Row:
    is_open = session.closed_at is None
    cart = carts.get(session.id, (None, None)) if is_open else (session.cart_value_minor, session.currency)
    return Row(
        id=session.id,
        visitor_id=session.visitor_id,
        who=said.who,
        started_at=session.started_at,
        last_event_at=session.last_event_at,
        open=is_open,
        kind=kind,
        reason=session.reason,
        confidence=said.confidence,
        landing=counted.landing or session.landing_path,
        exit=counted.exit or session.exit_path,
        cart_minor=cart[0],
        currency=cart[1],
        bought=counted.bought or bool(session.purchased),
        stage=session.stage,
        events=counted.events,
        pages=counted.pages,
        problems=counted.problems,
        shown=counted.shown,
    )
