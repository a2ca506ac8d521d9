"""Decides which patterns are over, and keeps what was one out of what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import Pattern
from insights.patterns.cells import Cell, Dimension
from insights.patterns.counts import REASONS, Field
from insights.patterns.finding import quieten
from insights.reports.changes import Rules, is_back
from insights.vocabulary.reasons import Kind, Reason

LONGEST: Final = timedelta(days=14)
"""A change that stays this long is what is usual from then on."""


def cell_of(row: Pattern) -> Cell:
    """The cell of a stored pattern."""
    return Cell(Dimension(row.dimension), row.name, Kind(row.kind), row.version)


async def end_what_is_over(
    tx: AsyncSession, project_id: UUID, standing: Sequence[Pattern], field: Field, now: datetime, rules: Rules
) -> set[UUID]:
    """Notes that the standing ones were looked at, and ends what is over; the ids of those."""
    ended: set[UUID] = set()
    for row in standing:
        why = _over(row, field, now, rules)
        if why is not None:
            ended.add(row.id)
        await tx.execute(
            update(Pattern)
            .where(Pattern.project_id == project_id, Pattern.id == row.id)
            .values(looked_at=now, **({} if why is None else {"ended_at": now, "end_reason": why}))
        )
    return ended


async def forget_past(tx: AsyncSession, project_id: UUID, field: Field, now: datetime, rules: Rules) -> None:
    """What was a pattern and went back is no part of what is usual."""
    since = now - timedelta(hours=rules.hours)
    rows = await tx.scalars(
        select(Pattern).where(Pattern.project_id == project_id, Pattern.ended_at > since, Pattern.end_reason == "back")
    )
    for row in rows:
        if row.ended_at is None:
            continue
        first = rules.hours - int((now - row.began_at).total_seconds() // 3600)
        last = rules.hours - int((now - row.ended_at).total_seconds() // 3600)
        # The last hours are what is looked at: they stay.
        quieten(field, cell_of(row), slice(max(0, first), max(0, min(last, rules.hours - rules.recent))))


def _over(row: Pattern, field: Field, now: datetime, rules: Rules) -> str | None:
    """Why a pattern is over: back, stays (it is what is usual now), version (another classifier speaks), quiet."""
    cell = cell_of(row)
    at = field.index(cell)
    recent = 0.0 if at is None else float(field.counts.sessions[at, -rules.recent :].sum())
    if recent == 0:
        spoken = any(
            (one.dimension, one.name, one.kind) == (cell.dimension, cell.name, cell.kind)
            and one.version != cell.version
            for one in field.cells
        )
        return "version" if spoken else "quiet"
    if now - row.began_at > LONGEST:
        return "stays"
    assert at is not None  # noqa: S101 - there are recent sessions of it
    reason = REASONS.index(Reason(row.reason))
    return "back" if is_back(row.tested_before, row.before_n, field.counts, at, reason, rules) else None
