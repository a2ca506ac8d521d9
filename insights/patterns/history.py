"""Reads shares over time, by cell, and the sessions behind a number: for charts and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import Insight, Pattern, Session
from insights.patterns.cells import Dimension, column, country_of, inside
from insights.patterns.counts import ITS_INSIGHT
from insights.vocabulary.reasons import Kind, Reason

MOST_CELLS: Final = 20
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sessions: of a kind (None: either), in a cell, closed in [since, until); reason and version narrow."""

    kind: Kind | None
    since: datetime
    until: datetime
    dimension: Dimension = Dimension.ALL
    name: str = ""
    reason: Reason | None = None
    version: str | None = None


@dataclass(slots=True)
class Bucket:
    """The sessions of one stretch of time, or of one cell, by reason."""

    sessions: int = 0
    reasons: dict[Reason, int] = field(default_factory=dict)

    def add(self, reason: str, count: int) -> None:
        self.sessions += count
        self.reasons[Reason(reason)] = self.reasons.get(Reason(reason), 0) + count


def asked_for(project_id: UUID, asked: Asked) -> list[ColumnElement[bool]]:
    """The conditions on a join of sessions with their insights."""
    made: list[ColumnElement[bool]] = [
        Session.project_id == project_id,
        Session.closed_at >= asked.since,
        Session.closed_at < asked.until,
    ]
    if asked.kind is not None:
        made.append(Insight.kind == asked.kind.value)
    if asked.dimension is not Dimension.ALL:
        made.append(inside(asked.dimension, asked.name))
    if asked.reason is not None:
        made.append(Insight.reason == asked.reason.value)
    if asked.version is not None:
        made.append(Insight.classifier == asked.version)
    return made


async def over_time(tx: AsyncSession, project_id: UUID, asked: Asked, step: timedelta) -> list[Bucket]:
    """One bucket a step from ``asked.since`` on, the last one perhaps not full."""
    number = cast(
        func.floor(func.extract("epoch", Session.closed_at - asked.since) / step.total_seconds()), Integer
    ).label("number")
    rows = await tx.execute(
        select(number, Insight.reason, func.count())
        .select_from(Session)
        .join(Insight, ITS_INSIGHT)
        .where(*asked_for(project_id, asked))
        .group_by(text("1, 2"))
    )
    made = [Bucket() for _ in range(max(1, -int((asked.since - asked.until) // step)))]
    for at, reason, count in rows:
        made[int(at)].add(reason, count)
    return made


async def by_cell(
    tx: AsyncSession, project_id: UUID, asked: Asked, by: Dimension
) -> tuple[list[tuple[str, Bucket]], int]:
    """The cells with most sessions, and how many more there are."""
    rows = await tx.execute(
        select(column(by), Insight.reason, func.count())
        .select_from(Session)
        .join(Insight, ITS_INSIGHT)
        .where(*asked_for(project_id, asked))
        .group_by(text("1, 2"))
    )
    cells: dict[str, Bucket] = {}
    for name, reason, count in rows:
        known = country_of(name) if by is Dimension.COUNTRY and name is not None else name
        if known is not None:
            cells.setdefault(known, Bucket()).add(reason, count)
    ordered = sorted(cells.items(), key=lambda item: (-item[1].sessions, item[0]))
    return ordered[:MOST_CELLS], max(0, len(ordered) - MOST_CELLS)


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
    """Sessions, orders and reasons of a time, and what was left in carts, by currency."""

    sessions: int
    bought: int
    reasons: dict[tuple[Kind, Reason], int]
    at_stake: dict[str, int]


async def so_far_by_day(tx: AsyncSession, project_id: UUID, now: datetime, before: int) -> list[Today]:
    """Today since midnight (UTC), and the same hours of each of the days ``before``; the oldest first, today last."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    first = midnight - timedelta(days=before)
    seconds = func.extract("epoch", Session.closed_at - first)
    rows = await tx.execute(
        select(
            cast(func.floor(seconds / DAY_SECONDS), Integer).label("day"),
            Insight.kind,
            Insight.reason,
            Session.currency,
            func.count(),
            func.sum(Session.cart_value_minor).filter(Session.cart_value_minor > 0),
        )
        .select_from(Session)
        .join(Insight, ITS_INSIGHT)
        .where(
            Session.project_id == project_id,
            Session.closed_at >= first,
            Session.closed_at < now,
            seconds % DAY_SECONDS < (now - midnight).total_seconds(),
        )
        .group_by(text("1, 2, 3, 4"))
    )
    days: list[list[Any]] = [[] for _ in range(before + 1)]
    for day, *rest in rows:
        days[int(day)].append(rest)
    return [_total(one) for one in days]


def _total(rows: Any) -> Today:
    reasons: dict[tuple[Kind, Reason], int] = {}
    money: dict[str, int] = {}
    for kind, reason, currency, count, cart in rows:
        key = (Kind(kind), Reason(reason))
        reasons[key] = reasons.get(key, 0) + count
        if kind == Kind.ABANDONED.value and cart and currency:
            money[currency] = money.get(currency, 0) + int(cart)
    return Today(
        sum(reasons.values()),
        sum(count for (kind, _), count in reasons.items() if kind is Kind.CONVERTED),
        reasons,
        money,
    )


def behind(project_id: UUID, asked: Asked) -> ColumnElement[bool]:
    """The condition on sessions joined with their insight, for lists by start: what closed before had begun before."""
    return and_(*asked_for(project_id, asked), Session.started_at < asked.until)
