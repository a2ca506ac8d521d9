"""What a daily or weekly report says: visits, orders and reasons of the time, against the time before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import BY_A_PERSON, ITS_INSIGHT, Insight, Pattern, Session
from insights.reports.mix import wilson
from insights.vocabulary.reasons import Kind, Reason

LENGTHS: Final = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """A reason's share among its kind (0..1) with a 95 % interval, and its share in the time before."""

    kind: Kind
    reason: Reason
    sessions: int
    share: float
    low: float
    high: float
    before: float | None


@dataclass(frozen=True, slots=True)
class Digest:
    """``at_stake``: minor units left in the carts of those who left, by currency (None: it was not told)."""

    since: datetime
    until: datetime
    sessions: int
    sessions_before: int
    bought: int
    bought_before: int
    reasons: tuple[ReasonLine, ...]
    at_stake: dict[str | None, int]
    patterns: Sequence[Pattern]

    @property
    def conversion(self) -> float | None:
        return self.bought / self.sessions if self.sessions else None

    @property
    def conversion_before(self) -> float | None:
        return self.bought_before / self.sessions_before if self.sessions_before else None


async def read_digest(tx: AsyncSession, project_id: UUID, until: datetime, length: timedelta) -> Digest:
    """The digest of [until - length, until): people's sessions by the time they closed, by their current insight."""
    since = until - length
    now, before = await _counted(tx, project_id, since, until), await _counted(tx, project_id, since - length, since)
    lines = []
    for kind in Kind:
        total = sum(count for (its, _), count in now.items() if its == kind)
        total_before = sum(count for (its, _), count in before.items() if its == kind)
        for (its, reason), count in sorted(now.items(), key=lambda item: (-item[1], item[0])):
            if its != kind:
                continue
            low, high = wilson(count / total, total)
            was = before.get((its, reason), 0) / total_before if total_before else None
            lines.append(ReasonLine(kind, Reason(reason), count, count / total, low, high, was))
    money = await tx.execute(
        select(Session.currency, func.sum(Session.cart_value_minor))
        .join(Insight, ITS_INSIGHT)
        .where(
            Session.project_id == project_id,
            Session.closed_at >= since,
            Session.closed_at < until,
            Insight.kind == Kind.ABANDONED.value,
            Session.cart_value_minor > 0,
            BY_A_PERSON,
        )
        .group_by(Session.currency)
        .order_by(Session.currency)
    )
    patterns = await tx.scalars(
        select(Pattern)
        .where(Pattern.project_id == project_id, Pattern.found_at >= since, Pattern.found_at < until)
        .order_by(Pattern.p_value)
        .limit(10)
    )
    return Digest(
        since,
        until,
        sum(now.values()),
        sum(before.values()),
        _bought(now),
        _bought(before),
        tuple(lines),
        {code: int(minor or 0) for code, minor in money},
        patterns.all(),
    )


async def _counted(tx: AsyncSession, project_id: UUID, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
    rows = await tx.execute(
        select(Insight.kind, Insight.reason, func.count())
        .select_from(Session)
        .join(Insight, ITS_INSIGHT)
        .where(Session.project_id == project_id, Session.closed_at >= since, Session.closed_at < until, BY_A_PERSON)
        .group_by(Insight.kind, Insight.reason)
    )
    return {(kind, reason): count for kind, reason, count in rows}


def _bought(counted: dict[tuple[str, str], int]) -> int:
    return sum(count for (kind, _), count in counted.items() if kind == Kind.CONVERTED)
