"""What the shop put on a visitor: tags, and the segments they were in at their last visit or were added to."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_READ = text("""
SELECT 'tag', tag FROM visitor_tag WHERE project_id = :project AND visitor_id = ANY(:person)
UNION
SELECT 'segment', segment.name FROM segment_member
JOIN segment ON segment.project_id = segment_member.project_id AND segment.id = segment_member.segment_id
WHERE segment_member.project_id = :project AND segment_member.visitor_id = ANY(:person)
ORDER BY 1, 2
""")

# Whose row somebody is writing just now is left out rather than waited for: who writes events may wait for the runs of
# this visitor, which the caller may hold.
_OUTDATE = text("""
UPDATE visitor SET version = version + 1 WHERE project_id = :project AND id IN (
    SELECT id FROM visitor WHERE project_id = :project AND id = ANY(:person) ORDER BY id FOR UPDATE SKIP LOCKED)
""")


async def read_marks(
    tx: AsyncSession, project_id: UUID, person: Collection[UUID]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(tags, segments) on any of a person's visitors, each in alphabetical order."""
    rows = (await tx.execute(_READ, {"project": project_id, "person": list(person)})).all()
    tags = tuple(name for kind, name in rows if kind == "tag")
    return tags, tuple(name for kind, name in rows if kind == "segment")


async def outdate_marks(tx: AsyncSession, project_id: UUID, person: Collection[UUID]) -> None:
    """Lets every process that holds these visitors' profiles notice, at its next event of theirs, that marks changed.

    Best effort: a visitor whose row is being written at this very moment is noticed at the next change.
    """
    await tx.execute(_OUTDATE, {"project": project_id, "person": list(person)})
