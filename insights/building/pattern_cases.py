"""Reads what would have come into a flow by patterns that were found: for the shop, or for the visitors behind them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import PatternTrigger
from flows.matching import matches
from flows.ports import NOBODY, Trigger
from insights.building.rehearsed import Case
from insights.identity.together import visitors_together
from insights.models import Pattern
from insights.patterns.cells import Cell, Dimension
from insights.patterns.evidence import read_evidence
from insights.patterns.trigger import triggers_of
from insights.vocabulary.reasons import Kind, Reason


async def pattern_cases(
    tx: AsyncSession, project_id: UUID, rule: PatternTrigger, since: datetime, until: datetime, most: int
) -> list[Case]:
    """The latest patterns that were found, with the visits that stood behind them then."""
    rows = await tx.scalars(
        select(Pattern)
        .where(Pattern.project_id == project_id, Pattern.found_at >= since, Pattern.found_at < until)
        .order_by(Pattern.found_at.desc())
        .limit(most)
    )
    happened: list[Trigger] = []
    for pattern in rows.all():
        happened += [one for one in await triggers_of_pattern(tx, project_id, pattern) if matches(rule, one)]
        if len(happened) >= most:
            break
    together = await visitors_together(tx, project_id, {one.visitor_id for one in happened} - {NOBODY})
    return [Case(one, one.occurred_at, together.get(one.visitor_id, (one.visitor_id,))) for one in happened[:most]]


async def triggers_of_pattern(tx: AsyncSession, project_id: UUID, pattern: Pattern) -> list[Trigger]:
    """What the engine was told when the pattern was found."""
    cell = Cell(Dimension(pattern.dimension), pattern.name, Kind(pattern.kind), pattern.version)
    evidence = await read_evidence(tx, project_id, cell, Reason(pattern.reason), pattern.began_at, pattern.found_at)
    row = {column.key: getattr(pattern, column.key) for column in Pattern.__table__.columns}
    return triggers_of(row, evidence, pattern.found_at)
