"""Membership: who is in a segment. Asked for, it is looked at anew; what is stored is as of a visitor's last visit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import NotFound
from insights.identity.together import person_of
from insights.models import Segment, SegmentMember, Visitor
from insights.profiles.marks import outdate_marks
from insights.segments.crowd import Crowd
from insights.segments.knowledge import Group
from insights.segments.moves import note_moves
from insights.segments.store import get_segment, stored


@dataclass(frozen=True, slots=True)
class Moved:
    """A visitor came into a segment, or fell out of it."""

    visitor_id: UUID
    segment: str
    entered: bool


async def refresh(tx: AsyncSession, project_id: UUID, visitor_ids: Iterable[UUID], now: datetime) -> list[Moved]:
    """Stores which segments visitors are in by their conditions; returns what changed. Free where there are none.

    Called when a session closes, in its transaction, after its insight is written.
    """
    rows = (
        await tx.execute(
            select(Segment.id, Segment.name, Segment.condition)
            .where(Segment.project_id == project_id)
            .order_by(Segment.id)
        )
    ).all()
    conditions = {row.name: stored(row.condition) for row in rows}
    identifiers = {row.name: row.id for row in rows if row.condition is not None}
    if not identifiers:
        return []
    group = Group(Crowd(tx, project_id, visitor_ids, now), conditions)
    matching = {
        (identifiers[name], visitor_id)
        for visitor_id in group.crowd.visitors
        for name in identifiers
        if await group.matches(visitor_id, name)
    }
    moved = await _store(tx, project_id, group.crowd.visitors, identifiers, matching, now)
    outdated = {member for one in moved for member in await group.crowd.person(one.visitor_id)}
    if outdated:
        await outdate_marks(tx, project_id, outdated)
    told = [(one.visitor_id, identifiers[one.segment], one.segment, one.entered) for one in moved]
    await note_moves(tx, project_id, told, now)
    return moved


async def _store(
    tx: AsyncSession,
    project_id: UUID,
    visitors: Collection[UUID],
    identifiers: Mapping[str, UUID],
    matching: Collection[tuple[UUID, UUID]],
    now: datetime,
) -> list[Moved]:
    # In one order everywhere: two transactions that store the same visitors do not wait in a circle.
    rows = await tx.scalars(
        select(SegmentMember)
        .where(SegmentMember.project_id == project_id, SegmentMember.visitor_id.in_(visitors))
        .order_by(SegmentMember.visitor_id, SegmentMember.segment_id)
        .with_for_update()
    )
    before = {(row.segment_id, row.visitor_id): row for row in rows}
    moved: list[Moved] = []
    entering: list[tuple[UUID, UUID]] = []
    for visitor_id in visitors:
        for name, segment_id in identifiers.items():
            key = segment_id, visitor_id
            row, matches = before.get(key), key in matching
            if row is None and matches:
                entering.append(key)
                moved.append(Moved(visitor_id, name, entered=True))
            elif row is not None and row.matched and not matches and not row.added:
                await tx.delete(row)
                moved.append(Moved(visitor_id, name, entered=False))
            elif row is not None:
                row.matched = matches
    await tx.flush()
    if entering:
        await _put_in(tx, project_id, entering, now, matched=True)
    return moved


async def add_visitor(tx: AsyncSession, project_id: UUID, name: str, visitor_id: UUID, now: datetime) -> bool:
    """Adds a visitor to a segment, whatever its condition says; False if they had been added. Raises NotFound."""
    segment = await get_segment(tx, project_id, name)
    known = await tx.scalar(select(Visitor.id).where(Visitor.project_id == project_id, Visitor.id == visitor_id))
    if known is None:
        raise NotFound(f"There is no visitor {visitor_id} in this project.")
    row = await tx.get(SegmentMember, (project_id, segment.id, visitor_id), with_for_update=True)
    if row is not None and row.added:
        return False
    await _put_in(tx, project_id, [(segment.id, visitor_id)], now, added=True)
    await outdate_marks(tx, project_id, await person_of(tx, project_id, visitor_id))
    if row is None:
        await note_moves(tx, project_id, [(visitor_id, segment.id, name, True)], now)
    return True


async def remove_visitor(tx: AsyncSession, project_id: UUID, name: str, visitor_id: UUID) -> bool:
    """Takes back that a visitor was added; False if they had not been. Its condition may still cover them."""
    segment = await get_segment(tx, project_id, name)
    row = await tx.get(SegmentMember, (project_id, segment.id, visitor_id), with_for_update=True)
    if row is None or not row.added:
        return False
    if row.matched:
        row.added = False
    else:
        await tx.execute(
            delete(SegmentMember).where(
                SegmentMember.project_id == project_id,
                SegmentMember.segment_id == segment.id,
                SegmentMember.visitor_id == visitor_id,
            )
        )
        await outdate_marks(tx, project_id, await person_of(tx, project_id, visitor_id))
        await note_moves(tx, project_id, [(visitor_id, segment.id, name, False)], datetime.now(UTC))
    return True


async def _put_in(
    tx: AsyncSession,
    project_id: UUID,
    members: Iterable[tuple[UUID, UUID]],
    now: datetime,
    *,
    matched: bool = False,
    added: bool = False,
) -> None:
    """``members``: segment and visitor."""
    rows = [
        {
            "project_id": project_id,
            "segment_id": segment_id,
            "visitor_id": visitor_id,
            "since": now,
            "matched": matched,
            "added": added,
        }
        for segment_id, visitor_id in members
    ]
    # Whoever put them in for the other reason at the same moment keeps it.
    change = {"added": True} if added else {"matched": True}
    await tx.execute(
        upsert(SegmentMember)
        .values(rows)
        .on_conflict_do_update(index_elements=["project_id", "segment_id", "visitor_id"], set_=change)
    )
