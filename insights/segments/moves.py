"""Keeps who came into which segment and who fell out of it, tells flows that listen, and reads it back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flows.occurrences import segment_moves
from insights.models import Segment, SegmentMove

# The last move by then says it, where there is one. Who came in before moves were kept, or into a segment whose
# condition has changed since, is known by the membership alone.
_INSIDE = text("""
SELECT coalesce(last.visitor_id, member.visitor_id) AS visitor_id
FROM (SELECT DISTINCT ON (visitor_id) visitor_id, entered
      FROM segment_move
      WHERE project_id = :project AND segment_id = :segment AND at <= :at
      ORDER BY visitor_id, at DESC, id DESC) AS last
FULL JOIN (SELECT visitor_id FROM segment_member
           WHERE project_id = :project AND segment_id = :segment AND since <= :at) AS member
    ON member.visitor_id = last.visitor_id
WHERE member.visitor_id IS NOT NULL OR last.entered
ORDER BY 1
LIMIT :most
""")
MOST_READ: Final = 200_000


async def note_moves(
    tx: AsyncSession, project_id: UUID, moves: Sequence[tuple[UUID, UUID, str, bool]], now: datetime
) -> None:
    """Visitors came into segments, or fell out: visitor, the segment's id and name, whether in."""
    if not moves:
        return
    rows = [
        {"project_id": project_id, "segment_id": segment, "visitor_id": visitor, "at": now, "entered": entered}
        for visitor, segment, _, entered in moves
    ]
    await tx.execute(insert(SegmentMove), rows)
    await segment_moves(tx, project_id, [(visitor, name, entered) for visitor, _, name, entered in moves], now)


async def moves_between(
    tx: AsyncSession,
    project_id: UUID,
    segment: str,
    since: datetime,
    until: datetime,
    *,
    entered: bool,
    most: int = MOST_READ,
    visitors: Collection[UUID] | None = None,
) -> list[tuple[datetime, UUID]]:
    """When somebody came into a segment (or fell out) in a time, and who: the latest ``most``, the latest first."""
    query = (
        select(SegmentMove.at, SegmentMove.visitor_id)
        .join(Segment, (Segment.project_id == SegmentMove.project_id) & (Segment.id == SegmentMove.segment_id))
        .where(
            SegmentMove.project_id == project_id,
            Segment.name == segment,
            SegmentMove.at >= since,
            SegmentMove.at < until,
            SegmentMove.entered.is_(entered),
        )
        .order_by(SegmentMove.at.desc(), SegmentMove.id.desc())
        .limit(most)
    )
    if visitors is not None:
        query = query.where(SegmentMove.visitor_id.in_(visitors))
    return [(row.at, row.visitor_id) for row in await tx.execute(query)]


async def inside_at(tx: AsyncSession, project_id: UUID, segment: str, at: datetime, most: int) -> list[UUID]:
    """Who was in a segment at a moment, as far as it is known: at most so many, in the order of their ids."""
    found = await tx.scalar(select(Segment.id).where(Segment.project_id == project_id, Segment.name == segment))
    if found is None:
        return []
    values = {"project": project_id, "segment": found, "at": at, "most": most}
    return list(await tx.scalars(_INSIDE, values))
