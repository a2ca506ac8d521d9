"""Counts sessions by cell, reason and hour, and finds the hour from which the last so many sessions count."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Integer, and_, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import BY_A_PERSON, ITS_INSIGHT, Insight, InsightFeedback, Session
from insights.patterns.cells import Cell, Dimension, column, country_of, inside
from insights.reports.changes import Counts, Floats, Rules
from insights.vocabulary.reasons import Kind, Reason

REASONS: Final = tuple(Reason)
MOST_CELLS: Final = 100
"""Of one dimension, those with most sessions."""
LATE: Final = timedelta(hours=6)
"""A visit closed this long after its last event (an import, a worker that stood still) tells of another time."""

_GROUPED: Final = tuple(dimension for dimension in Dimension if dimension is not Dimension.ALL)


@dataclass(frozen=True, slots=True)
class Field:
    """All cells and their counts, in the same order. ``sessions``: how many were counted in all."""

    cells: tuple[Cell, ...]
    counts: Counts
    sessions: int

    def index(self, cell: Cell) -> int | None:
        """Where a cell stands."""
        return self.cells.index(cell) if cell in self.cells else None


def closed_in(project_id: UUID, since: datetime, until: datetime) -> ColumnElement[bool]:
    """Sessions of people that closed in [since, until) and soon after their last event."""
    return and_(
        Session.project_id == project_id,
        Session.closed_at >= since,
        Session.closed_at < until,
        Session.closed_at - Session.last_event_at < LATE,
        BY_A_PERSON,
    )


async def join_at_once(tx: AsyncSession, wanted: bool) -> None:
    """Has the database join sessions and insights as wholes, or as it likes again.

    Sessions of weeks are thousands. Where its statistics are older than they are, the planner expects one, and looks
    every insight through for each of them: minutes in place of milliseconds.
    """
    await tx.execute(select(func.set_config("enable_nestloop", "off" if wanted else "on", True)))


async def read_field(
    tx: AsyncSession, project_id: UUID, until: datetime, rules: Rules, kept: Collection[Cell] = ()
) -> Field:
    """Every cell with enough sessions to say something, and those ``kept`` in any case."""
    since = until - timedelta(hours=rules.hours)
    named = {dimension: column(dimension).label(f"d_{dimension.value}") for dimension in _GROUPED}
    inner = (
        select(
            _hours_ago(until).label("hours_ago"),
            Insight.kind,
            Insight.reason,
            Insight.classifier,
            *named.values(),
        )
        .join(Insight, ITS_INSIGHT)
        .where(closed_in(project_id, since, until))
        .subquery()
    )
    common = (inner.c.hours_ago, inner.c.kind, inner.c.reason, inner.c.classifier)
    columns = [inner.c[f"d_{dimension.value}"] for dimension in _GROUPED]
    which = func.grouping(*columns)
    rows = (
        await tx.execute(
            select(which, *columns, *common, func.count()).group_by(
                func.grouping_sets(tuple_(*common), *(tuple_(one, *common) for one in columns))
            )
        )
    ).all()
    return _field(rows, rules, kept)


async def read_without(
    tx: AsyncSession, project_id: UUID, until: datetime, rules: Rules, cell: Cell, others: Sequence[Cell]
) -> Counts:
    """The counts of one cell without the sessions that are in any of ``others``."""
    since = until - timedelta(hours=rules.hours)
    hours_ago = _hours_ago(until).label("hours_ago")
    query = (
        select(hours_ago, Insight.reason, func.count())
        .join(Insight, ITS_INSIGHT)
        .where(
            closed_in(project_id, since, until),
            Insight.kind == cell.kind.value,
            Insight.classifier == cell.version,
            inside(cell.dimension, cell.name),
            # A cell that is not known is not that other cell.
            *(func.coalesce(inside(other.dimension, other.name), False).is_(False) for other in others),
        )
        .group_by(hours_ago, Insight.reason)
    )
    sessions = np.zeros((1, rules.hours))
    named = np.zeros((1, len(REASONS), rules.hours))
    for ago, reason, count in await tx.execute(query):
        _add(sessions[0], named[0], rules.hours - 1 - int(ago), reason, count)
    return Counts(sessions, named)


async def read_labels(tx: AsyncSession, project_id: UUID, kind: Kind, version: str) -> Floats:
    """What people said of this classifier's insights: true reason by named reason, counts."""
    rows = await tx.execute(
        select(InsightFeedback.reason, Insight.reason, func.count())
        .join(
            Insight,
            and_(Insight.project_id == InsightFeedback.project_id, Insight.id == InsightFeedback.insight_id),
        )
        .where(
            InsightFeedback.project_id == project_id,
            InsightFeedback.said != "wrong",
            Insight.kind == kind.value,
            Insight.classifier == version,
        )
        .group_by(InsightFeedback.reason, Insight.reason)
    )
    labels = np.zeros((len(REASONS), len(REASONS)))
    for true, named, count in rows:
        row, place = REASONS.index(Reason(str(true))), REASONS.index(Reason(named))
        labels[row, place] += count
    return labels


async def hours_of_last(tx: AsyncSession, project_id: UUID, sessions: int, now: datetime) -> int:
    """How many hours back the last so many closed sessions reach, 1 at least."""
    oldest = await tx.scalar(
        select(Session.closed_at)
        .where(Session.project_id == project_id, Session.closed_at < now)
        .order_by(Session.closed_at.desc())
        .offset(sessions - 1)
        .limit(1)
    )
    if oldest is None:
        oldest = await tx.scalar(select(func.min(Session.closed_at)).where(Session.project_id == project_id))
    return 1 if oldest is None else max(1, -int((oldest - now).total_seconds() // 3600))


def _hours_ago(until: datetime) -> ColumnElement[int]:
    return cast(func.floor(func.extract("epoch", until - Session.closed_at) / 3600), Integer)


def _field(rows: Sequence[Any], rules: Rules, kept: Collection[Cell]) -> Field:
    hours, reasons = rules.hours, len(REASONS)
    found: dict[Cell, tuple[Floats, Floats]] = {}
    every = 2 ** len(_GROUPED) - 1
    total = 0
    for which, *rest in rows:
        names, (ago, kind, reason, version, count) = rest[: len(_GROUPED)], rest[len(_GROUPED) :]
        position = hours - 1 - int(ago)
        if not 0 <= position < hours:
            continue
        if which == every:
            cell = Cell(Dimension.ALL, "", Kind(kind), version)
            total += count
        else:
            # GROUPING has a zero bit for the one column that this row is grouped by, the first column in front.
            at = next(n for n in range(len(_GROUPED)) if not which >> (len(_GROUPED) - 1 - n) & 1)
            name = names[at]
            if _GROUPED[at] is Dimension.COUNTRY and name is not None:
                name = country_of(name)
            if name is None:
                continue
            cell = Cell(_GROUPED[at], name, Kind(kind), version)
        sessions, named = found.setdefault(cell, (np.zeros(hours), np.zeros((reasons, hours))))
        _add(sessions, named, position, reason, count)
    cells = _worth_testing(found, rules, kept)
    if not cells:
        return Field((), Counts(np.zeros((0, hours)), np.zeros((0, reasons, hours))), total)
    return Field(
        tuple(cells),
        Counts(np.stack([found[cell][0] for cell in cells]), np.stack([found[cell][1] for cell in cells])),
        total,
    )


def _add(sessions: Floats, named: Floats, position: int, reason: str, count: int) -> None:
    sessions[position] += count
    named[REASONS.index(Reason(reason)), position] += count


def _worth_testing(found: dict[Cell, tuple[Floats, Floats]], rules: Rules, kept: Collection[Cell]) -> list[Cell]:
    cells = []
    for dimension in Dimension:
        sizes = {cell: float(sessions.sum()) for cell, (sessions, _) in found.items() if cell.dimension is dimension}
        largest = sorted(sizes, key=lambda cell: (-sizes[cell], cell.name, cell.version))[:MOST_CELLS]
        cells += [cell for cell in largest if sizes[cell] >= rules.least_before + rules.least_sessions or cell in kept]
        cells += [cell for cell in sizes if cell in kept and cell not in largest]
    return cells
