"""Reads stored patterns."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import NotFound
from insights.models import Pattern
from insights.vocabulary.reasons import Kind


async def pattern_named(tx: AsyncSession, project_id: UUID, pattern_id: UUID) -> Pattern:
    """One pattern. Raises NotFound."""
    row = await tx.scalar(select(Pattern).where(Pattern.project_id == project_id, Pattern.id == pattern_id))
    if row is None:
        raise NotFound(f"There is no pattern {pattern_id} in this project.")
    return row


async def patterns_before(
    tx: AsyncSession,
    project_id: UUID,
    limit: int,
    before: UUID | None = None,
    *,
    open_: bool | None = None,
    kind: Kind | None = None,
) -> Sequence[Pattern]:
    """The newest patterns, or those older than ``before``. Raises NotFound."""
    query = (
        select(Pattern)
        .where(Pattern.project_id == project_id)
        .order_by(Pattern.found_at.desc(), Pattern.id.desc())
        .limit(limit)
    )
    if before is not None:
        last = await pattern_named(tx, project_id, before)
        query = query.where(tuple_(Pattern.found_at, Pattern.id) < (last.found_at, last.id))
    if open_ is not None:
        query = query.where(Pattern.ended_at.is_(None) if open_ else Pattern.ended_at.is_not(None))
    if kind is not None:
        query = query.where(Pattern.kind == kind.value)
    return (await tx.scalars(query)).all()
