"""What the shop put on a visitor: tags, offers kept for them, segments they are in or were added to."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_READ = text("""
SELECT visitor_id, 'tag', tag FROM visitor_tag WHERE project_id = :project AND visitor_id = ANY(:visitors)
UNION ALL
SELECT segment_member.visitor_id, 'segment', segment.name FROM segment_member
JOIN segment ON segment.project_id = segment_member.project_id AND segment.id = segment_member.segment_id
WHERE segment_member.project_id = :project AND segment_member.visitor_id = ANY(:visitors)
UNION ALL
SELECT kept.visitor_id, 'kept', json_build_object('id', kept.id, 'until', kept.expires_at,
    'shown', claim.key IS NOT NULL, 'entry', kept.definition)::text
FROM kept_offer AS kept
LEFT JOIN live_claim AS claim ON claim.project_id = kept.project_id AND claim.scope = 'kept'
    AND claim.key = uuid_send(kept.id) AND claim.period = 'ever'
WHERE kept.project_id = :project AND kept.visitor_id = ANY(:visitors) AND kept.expires_at > now()
    AND (claim.key IS NULL OR claim.last_at > now() - interval '2 hours')
""")

# Whose row somebody is writing just now is left out rather than waited for: who writes events may wait for the runs of
# this visitor, which the caller may hold.
_OUTDATE = text("""
UPDATE visitor SET version = version + 1 WHERE project_id = :project AND id IN (
    SELECT id FROM visitor WHERE project_id = :project AND id = ANY(:person) ORDER BY id FOR UPDATE SKIP LOCKED)
""")


class Marks(NamedTuple):
    """Each in alphabetical order. ``kept``: the JSON of offers, those shown in the last two hours among them."""

    tags: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


async def read_marks(tx: AsyncSession, project_id: UUID, person: Collection[UUID]) -> Marks:
    """The marks on any of a person's visitors."""
    found = await read_marks_of(tx, project_id, person)
    return Marks(
        tuple(sorted({tag for marks in found.values() for tag in marks.tags})),
        tuple(sorted({name for marks in found.values() for name in marks.segments})),
        tuple(sorted({offer for marks in found.values() for offer in marks.kept})),
    )


async def read_marks_of(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> dict[UUID, Marks]:
    """The marks on each of ``visitors``; one without any is not among them."""
    found: dict[UUID, dict[str, list[str]]] = {}
    for visitor_id, kind, name in await tx.execute(_READ, {"project": project_id, "visitors": list(visitors)}):
        found.setdefault(visitor_id, {"tag": [], "segment": [], "kept": []})[kind].append(name)
    return {
        visitor_id: Marks(
            tuple(sorted(names["tag"])),
            tuple(sorted(names["segment"])),
            tuple(sorted(names["kept"])),
        )
        for visitor_id, names in found.items()
    }


async def outdate_marks(tx: AsyncSession, project_id: UUID, person: Collection[UUID]) -> None:
    """Lets every process that holds these visitors' profiles notice, at its next event of theirs, that marks changed.

    Best effort: a visitor whose row is being written at this very moment is noticed at the next change.
    """
    await tx.execute(_OUTDATE, {"project": project_id, "person": list(person)})
