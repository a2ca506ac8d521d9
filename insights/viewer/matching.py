"""Which sessions match the filters: the conditions of a query over sessions."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, case, cast, func, literal, or_, select

from flows.models import FlowRun
from insights.models import Decision, Event, Insight, Session, Visitor
from insights.segments.device_column import device_column
from insights.timeline.read import IN_VISIT
from insights.viewer.filters import NO_INSIGHT, PERIODS, Filters, like_literal, like_pattern
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.reasons import Kind
from insights.vocabulary.session_group import PREFIX as SESSION_GROUP

IS_OPEN = Session.closed_at.is_(None)

CAME_TO = func.coalesce(
    Session.kind,
    case(
        (Session.closed_at.is_(None), None),
        (Session.purchased.is_(True), Kind.CONVERTED.value),
        else_=Kind.ABANDONED.value,
    ),
)
"""A session's kind: the insight's word, the summary's until there is one, NULL while it has never closed."""

_LEAST_ID_TEXT = 6


def matching(filters: Filters, project_id: UUID, now: datetime) -> list[ColumnElement[bool]]:
    """Conditions that a session of ``project_id`` meets if it passes all ``filters``."""
    conditions = [Session.project_id == project_id]
    if filters.reason == NO_INSIGHT:
        conditions.append(Session.reason.is_(None))
    elif filters.reason is not None:
        conditions.append(Session.reason == str(filters.reason))
    if filters.kind is not None:
        conditions.append(CAME_TO.op("=")(str(filters.kind)))
    if filters.state is not None:
        conditions.append(IS_OPEN if filters.state == "open" else ~IS_OPEN)
    if filters.stage is not None:
        conditions.append(Session.stage == str(filters.stage))
    if filters.visitor is not None:
        conditions.append(Session.visitor_id == filters.visitor)
    if filters.when is not None:
        conditions.append(Session.started_at >= now - PERIODS[filters.when])
    if filters.purchased is not None:
        conditions.append(_bought() if filters.purchased else ~_bought())
    if filters.left_cart:
        conditions.append(Session.cart_value_minor > 0)
    if filters.page is not None:
        conditions.append(_of_unknown_share(_saw_page(filters.page)))
    if filters.source is not None:
        conditions.append(_of_unknown_share(_came_from(filters.source)))
    if filters.device is not None:
        conditions.append(_of_unknown_share(_came_with(filters.device)))
    if filters.flow is not None:
        conditions.append(_set_going(filters.flow, project_id))
    if filters.action is not None:
        conditions.append(_was_shown(filters.action, project_id))
    if filters.text is not None:
        conditions.append(_mentions(filters.text, project_id, names=filters.names))
    return conditions


def _of_unknown_share(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same condition, taken by the planner to hold for half of the sessions: it knows nothing of what stands in
    arrays and JSON, guesses a handful, and then sorts all of them where the first fifty would do."""
    return func.coalesce(condition, False)


def _bought() -> ColumnElement[bool]:
    """As the summary says, or for an open session its events."""
    return or_(Session.purchased.is_(True), _open_and_has(Event.type == "purchased", IN_VISIT))


def page_path() -> ColumnElement[str | None]:
    """The path of an event's page, as ``TimelineEvent.path`` says it; NULL when unknown."""
    return func.coalesce(
        case((Event.type == "page_viewed", func.nullif(Event.props["path"].astext, ""))),
        func.nullif(func.substring(Event.url, r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)"), ""),
    )


def _open_and_has(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """An open session with such an event: looked up for those few alone, which EXISTS would not do."""
    found = (
        select(func.count() > 0)
        .where(Event.project_id == Session.project_id, Event.session_id == Session.id, *conditions)
        .correlate(Session)
        .scalar_subquery()
    )
    return case((IS_OPEN, found), else_=False)


def _saw_page(page: str) -> ColumnElement[bool]:
    # What a closed session saw stands in its row; only of the few open ones are the events looked at.
    if "*" not in page:
        closed = Session.paths.contains([page])
    else:
        # Every path between two line ends, which no path holds: one comparison a session instead of one a path.
        each = literal("\n") + func.array_to_string(Session.paths, "\n") + literal("\n")
        whole = f"\n{page}\n".removeprefix("\n*").removesuffix("*\n")
        if "*" in whole:
            within = "[^\n]*".join(re.escape(part) for part in whole.split("*"))
            closed = and_(
                each.like(f"%{like_literal(max(whole.split('*'), key=len))}%", escape="\\"), each.op("~")(within)
            )
        else:
            closed = each.like(f"%{like_literal(whole)}%", escape="\\")
    pattern = like_pattern(page)
    return or_(
        closed,
        _open_and_has(Event.type == "page_viewed", page_path().like(pattern, escape="\\")),
    )


def _came_from(source: str) -> ColumnElement[bool]:
    def said(where: Any) -> ColumnElement[str]:
        return func.coalesce(func.nullif(where["utm_source"].astext, ""), where["referrer"].astext)

    return or_(
        said(Session.source) == source,
        _open_and_has(Event.type == "page_viewed", said(Event.props["source"]) == source),
    )


def _came_with(device: str) -> ColumnElement[bool]:
    return or_(
        device_column(Session.client) == device,
        _open_and_has(Event.type == "page_viewed", device_column(Event.props["client"]) == device),
    )


def _set_going(flow: UUID, project_id: UUID) -> ColumnElement[bool]:
    # From the few runs to their sessions: the other way round, a text is made of every session's id.
    of_a_session = FlowRun.trigger_group.like(f"{SESSION_GROUP}%")
    its_id = cast(func.substring(FlowRun.trigger_group, len(SESSION_GROUP) + 1), Uuid)
    return Session.id.in_(
        select(case((of_a_session, its_id)))
        .where(FlowRun.project_id == project_id, FlowRun.flow_id == flow, of_a_session)
        .correlate(None)
    )


def _was_shown(action: LiveAction, project_id: UUID) -> ColumnElement[bool]:
    decided = Session.id.in_(
        select(Decision.session_id)
        .where(Decision.project_id == project_id, Decision.action == str(action))
        .correlate(None)
    )
    if action is LiveAction.DO_NOTHING:
        return decided
    shown = or_(
        Session.shown.contains([str(action)]),
        _open_and_has(Event.type == "action_shown", Event.props["action"].astext == str(action)),
    )
    return and_(_of_unknown_share(shown), decided)


def _mentions(words: str, project_id: UUID, *, names: bool) -> ColumnElement[bool]:
    its_visitor = (
        select(Visitor.id)
        .where(
            Visitor.project_id == project_id,
            # Addresses are sealed: they are found whole, not by a part of them.
            or_(
                Visitor.email.in_({words, words.lower()}),
                Visitor.user_id == words,
                _holds(Visitor.user_id, words),
            ),
        )
        .correlate(None)
    )
    said_so = (
        select(Insight.session_id)
        .where(
            Insight.project_id == project_id,
            Insight.superseded_at.is_(None),
            _holds(Insight.narrative, words),
        )
        .correlate(None)
    )
    conditions = [
        *([Session.visitor_id.in_(its_visitor)] if names else []),
        Session.id.in_(said_so),
        _holds(Session.landing_path, words),
        _holds(Session.exit_path, words),
    ]
    identifier = words.replace("-", "").lower()
    if len(identifier) >= _LEAST_ID_TEXT and all(c in "0123456789abcdef" for c in identifier):
        conditions += [
            func.encode(func.uuid_send(column), "hex").like(f"%{identifier}%")
            for column in (Session.id, Session.visitor_id)
        ]
    return or_(*conditions)


def _holds(column: object, words: str) -> ColumnElement[bool]:
    # What ILIKE finds, in two thirds of its time: every row of a large shop is looked at.
    return func.strpos(func.lower(column), func.lower(words)) > 0
