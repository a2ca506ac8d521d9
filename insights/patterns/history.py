"""Reads shares over time, by cell, and the sessions behind a number: for charts and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, and_, cast, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import BY_A_PERSON, Insight, Pattern, Session
from insights.patterns.cells import Dimension, column, country_of, inside
from insights.patterns.counts import LATE
from insights.vocabulary.reasons import Kind, Reason

MOST_CELLS: Final = 20
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sessions: of a kind (None: either), in a cell, closed in [since, until); reason, version and ``left_cart``
    (something was in the cart) narrow."""

    kind: Kind | None
    since: datetime
    until: datetime
    dimension: Dimension = Dimension.ALL
    name: str = ""
    reason: Reason | None = None
    version: str | None = None
    left_cart: bool = False


@dataclass(slots=True)
class Bucket:
    """The sessions of one stretch of time, or of one cell, by reason."""

    sessions: int = 0
    reasons: dict[Reason, int] = field(default_factory=dict)

    def add(self, reason: str, count: int) -> None:
        self.sessions += count
        self.reasons[Reason(reason)] = self.reasons.get(Reason(reason), 0) + count


def asked_for(project_id: UUID, asked: Asked) -> list[ColumnElement[bool]]:
    """The conditions on sessions; only those of people, and with an insight, are counted."""
    made: list[ColumnElement[bool]] = [
        Session.project_id == project_id,
        Session.closed_at >= asked.since,
        Session.closed_at < asked.until,
        Session.reason.is_not(None),
        BY_A_PERSON,
    ]
    if asked.kind is not None:
        made.append(Session.kind == asked.kind.value)
    if asked.dimension is not Dimension.ALL:
        made.append(inside(asked.dimension, asked.name))
    if asked.reason is not None:
        made.append(Session.reason == asked.reason.value)
    if asked.version is not None:
        made.append(Session.id.in_(_said_by(project_id, asked.version)))
    if asked.left_cart:
        made.append(Session.cart_value_minor > 0)
    return made


def _said_by(project_id: UUID, version: str) -> Select[UUID]:
    return (
        select(Insight.session_id)
        .where(Insight.project_id == project_id, Insight.superseded_at.is_(None), Insight.classifier == version)
        .correlate(None)
    )


async def over_time(tx: AsyncSession, project_id: UUID, asked: Asked, step: timedelta) -> list[Bucket]:
    """One bucket a step from ``asked.since`` on, the last one perhaps not full."""
    rows = await tx.execute(
        select(_number(asked, step), Session.reason, func.count())
        .where(*asked_for(project_id, asked))
        .group_by(text("1, 2"))
    )
    made = _buckets(asked, step)
    for at, reason, count in rows:
        made[int(at)].add(str(reason), count)
    return made


@dataclass(frozen=True, slots=True)
class BothWays:
    """The same sessions by time and by cell: the cells with most of them, and how many more cells there are. ``late``:
    how many ended long before they were closed, as those of an import do."""

    buckets: list[Bucket]
    cells: list[tuple[str, Bucket]]
    more_cells: int
    late: int


async def over_time_and_by_cell(
    tx: AsyncSession, project_id: UUID, asked: Asked, step: timedelta, by: Dimension
) -> BothWays:
    """As ``over_time``, and by cell, from one look at the sessions."""
    its = (
        select(
            _number(asked, step), column(by).label("cell"), Session.reason.label("reason"), _closed_late().label("late")
        )
        .where(*asked_for(project_id, asked))
        .subquery()
    )
    number, cell, reason = its.c.number, its.c.cell, its.c.reason
    rows = await tx.execute(
        select(func.grouping(number), number, cell, reason, func.count(), func.count().filter(its.c.late)).group_by(
            func.grouping_sets(tuple_(number, reason), tuple_(cell, reason))
        )
    )
    buckets, late = _buckets(asked, step), 0
    cells: dict[str, Bucket] = {}
    for of_cell, at, name, why, count, closed_late in rows:
        if not of_cell:
            buckets[int(at)].add(why, count)
            late += closed_late
            continue
        known = country_of(name) if by is Dimension.COUNTRY and name is not None else name
        if known is not None:
            cells.setdefault(known, Bucket()).add(why, count)
    ordered = sorted(cells.items(), key=lambda item: (-item[1].sessions, item[0]))
    return BothWays(buckets, ordered[:MOST_CELLS], max(0, len(ordered) - MOST_CELLS), late)


def _closed_late() -> ColumnElement[bool]:
    return Session.closed_at - Session.last_event_at >= LATE


def _number(asked: Asked, step: timedelta) -> ColumnElement[int]:
    """Which step a session closed in, from 0."""
    # date_part counts in floating point, extract in decimals, which takes several times as long.
    seconds = func.date_part("epoch", Session.closed_at - asked.since)
    return cast(func.floor(seconds / step.total_seconds()), Integer).label("number")


def _buckets(asked: Asked, step: timedelta) -> list[Bucket]:
    return [Bucket() for _ in range(max(1, -int((asked.since - asked.until) // step)))]


async def patterns_between(
    tx: AsyncSession, project_id: UUID, kind: Kind, since: datetime, until: datetime
) -> Sequence[Pattern]:
    """The patterns that began in a time, in that order."""
    rows = await tx.scalars(
        select(Pattern)
        .where(
            Pattern.project_id == project_id,
            Pattern.kind == kind.value,
            Pattern.found_at >= since,
            Pattern.began_at >= since,
            Pattern.began_at < until,
        )
        .order_by(Pattern.began_at)
        .limit(50)
    )
    return rows.all()


@dataclass(frozen=True, slots=True)
class Today:
    """Sessions, orders and reasons of a time, and what was left in carts, by currency (None: it was not told).
    ``late``: how many of the sessions ended long before they were closed."""

    sessions: int
    bought: int
    reasons: dict[tuple[Kind, Reason], int]
    at_stake: dict[str | None, int]
    late: int


async def so_far_by_day(tx: AsyncSession, project_id: UUID, now: datetime, before: int) -> list[Today]:
    """Today since midnight (UTC), and the same hours of each of the days ``before``, from the first visit of all on: a
    day without visits counts, one before there could be any does not. The oldest first, today last."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    first, so_far = midnight - timedelta(days=before), now - midnight
    days_since = func.date_part("epoch", Session.closed_at - first) / DAY_SECONDS
    rows = await tx.execute(
        select(
            cast(func.floor(days_since), Integer).label("day"),
            Session.kind,
            Session.reason,
            Session.currency,
            func.count(),
            func.sum(Session.cart_value_minor).filter(Session.cart_value_minor > 0),
            func.count().filter(_closed_late()),
        )
        .where(
            Session.project_id == project_id,
            Session.closed_at >= first,
            Session.closed_at < now,
            Session.reason.is_not(None),
            BY_A_PERSON,
            days_since - func.floor(days_since) < so_far / timedelta(days=1),
        )
        .group_by(text("1, 2, 3, 4"))
    )
    days: list[list[Any]] = [[] for _ in range(before + 1)]
    for day, *rest in rows:
        days[int(day)].append(rest)
    closed = (Session.project_id == project_id, Session.closed_at < now, Session.reason.is_not(None), BY_A_PERSON)
    began = await tx.scalar(select(func.min(Session.closed_at)).where(*closed)) or now
    unknown = min(before, max(0, (began - first - so_far) // timedelta(days=1) + 1))
    return [_total(one) for one in days[unknown:]]


def _total(rows: Any) -> Today:
    reasons: dict[tuple[Kind, Reason], int] = {}
    money: dict[str | None, int] = {}
    late = 0
    for kind, reason, currency, count, cart, closed_late in rows:
        late += closed_late
        key = (Kind(kind), Reason(reason))
        reasons[key] = reasons.get(key, 0) + count
        if kind == Kind.ABANDONED.value and cart:
            money[currency] = money.get(currency, 0) + int(cart)
    return Today(
        sum(reasons.values()),
        sum(count for (kind, _), count in reasons.items() if kind is Kind.CONVERTED),
        reasons,
        money,
        late,
    )


def behind(project_id: UUID, asked: Asked) -> ColumnElement[bool]:
    """The condition on sessions, for lists by start: what closed before had begun before."""
    return and_(*asked_for(project_id, asked), Session.started_at < asked.until)
