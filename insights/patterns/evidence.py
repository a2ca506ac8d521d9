"""Reads the sessions behind a pattern and what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import ITS_INSIGHT, Event, Insight, Session
from insights.patterns.actions import Shared
from insights.patterns.cells import Cell, inside
from insights.patterns.counts import closed_in
from insights.recovery.plain import one_line
from insights.recovery.worst_error import worst_error
from insights.timeline.timeline import TimelineEvent
from insights.vocabulary.reasons import Reason

MOST_LISTED: Final = 100
MOST_VISITORS: Final = 500
_TELLING: Final = ("request_failed", "js_error", "rage_click", "dead_click", "form_abandoned")
MOST_EVENTS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """``sessions`` with the reason of ``cell_sessions``; the newest ids; who they were; money left in carts."""

    sessions: int
    cell_sessions: int
    session_ids: tuple[UUID, ...]
    visitor_ids: tuple[UUID, ...]
    at_stake: dict[str, int]
    shared: Shared
    product_name: str | None


async def read_evidence(
    tx: AsyncSession, project_id: UUID, cell: Cell, reason: Reason, since: datetime, until: datetime
) -> Evidence:
    """What stands behind a reason in a cell, for visits that closed in [since, until)."""
    in_cell = (
        closed_in(project_id, since, until),
        Insight.kind == cell.kind.value,
        Insight.classifier == cell.version,
        inside(cell.dimension, cell.name),
    )
    of_cell = await tx.scalar(select(func.count()).select_from(Session).join(Insight, ITS_INSIGHT).where(*in_cell))
    rows = (
        await tx.execute(
            select(
                Session.id,
                Session.visitor_id,
                Session.exit_path,
                Session.product,
                Session.cart_value_minor,
                Session.currency,
            )
            .join(Insight, ITS_INSIGHT)
            .where(*in_cell, Insight.reason == reason.value)
            .order_by(Session.closed_at.desc(), Session.id.desc())
        )
    ).all()
    money: Counter[str] = Counter()
    for row in rows:
        if row.cart_value_minor and row.currency and row.cart_value_minor > 0:
            money[row.currency] += row.cart_value_minor
    listed = tuple(row.id for row in rows[:MOST_LISTED])
    shared, product_name = await _shared(tx, project_id, listed, rows[:MOST_LISTED])
    return Evidence(
        len(rows),
        int(of_cell or 0),
        listed,
        tuple(dict.fromkeys(row.visitor_id for row in rows))[:MOST_VISITORS],
        dict(money),
        shared,
        product_name,
    )


async def _shared(
    tx: AsyncSession, project_id: UUID, session_ids: Sequence[UUID], rows: Sequence[Any]
) -> tuple[Shared, str | None]:
    page = _commonest(row.exit_path for row in rows)
    product = _commonest(row.product for row in rows)
    events = (
        await tx.scalars(
            select(Event)
            .where(Event.project_id == project_id, Event.session_id.in_(session_ids), Event.type.in_(_TELLING))
            .limit(MOST_EVENTS)
        )
    ).all()
    elements: dict[str, set[UUID]] = {}
    errors: dict[str, set[UUID]] = {}
    told: list[TimelineEvent] = []
    for event in events:
        told.append(
            TimelineEvent(event.id, event.occurred_at, event.type, event.tab, event.seq, event.url, event.props)
        )
        if event.type in ("rage_click", "dead_click", "form_abandoned"):
            at = one_line(event.props.get("selector") or event.props.get("last_field"), 300)
            if at:
                elements.setdefault(at, set()).add(event.session_id)
        elif (error := worst_error((told[-1],))) is not None:
            errors.setdefault(error["fingerprint"], set()).add(event.session_id)
    element = max(elements, key=lambda one: (len(elements[one]), one), default=None)
    fingerprint = max(errors, key=lambda one: (len(errors[one]), one), default=None)
    error = None
    if fingerprint is not None:
        same = [one for one in told if (its := worst_error((one,))) and its["fingerprint"] == fingerprint]
        error = worst_error(tuple(same))
    name = None
    if product is not None:
        name = await tx.scalar(
            select(Event.props["name"].astext)
            .where(
                Event.project_id == project_id,
                Event.session_id.in_(session_ids),
                Event.type.in_(("product_viewed", "cart_added")),
                Event.props["product_id"].astext == product,
            )
            .limit(1)
        )
    shared = Shared(
        page,
        product,
        element,
        len(elements[element]) if element is not None else 0,
        error,
        len(errors[fingerprint]) if fingerprint is not None else 0,
    )
    return shared, one_line(name, 120) or None


def _commonest(values: Any) -> str | None:
    counted = Counter(value for value in values if value)
    return max(counted, key=lambda one: (counted[one], one), default=None)
