"""Another name for a segment: only while nothing asks about it by the old one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import InUse
from insights.identity.together import visitors_together
from insights.models import Segment, SegmentMember, Session
from insights.profiles.marks import outdate_marks
from insights.segments.store import Users, conditions_of_segments, refuse_no_name, refuse_taken, using

A_VISIT: Final = timedelta(days=1)
"""Longer ones are not looked for: by the time they began, the latest sessions are found in an index."""


async def rename_segment(
    tx: AsyncSession, project_id: UUID, segment: Segment, name: str, *, users: Users, seen_since: datetime
) -> None:
    """Gives a segment that nothing asks about another name; who is in it stays in it.

    ``segment``: as ``change_segment`` returned it in the same transaction. ``seen_since``: who was seen later may be
    known to a process by the old name, and is looked up anew. Raises Refused, InUse.
    """
    refuse_no_name(name)
    others = await conditions_of_segments(tx, project_id)
    others.pop(segment.name)
    refuse_taken(name, others)
    if asking := using(segment.name, others, users):
        raise InUse(
            f"The segment {segment.name} is asked about by that name in {asking}. Change that first, or keep the name.",
            field="name",
        )
    segment.name = name
    await tx.flush()
    inside = await tx.scalars(
        select(SegmentMember.visitor_id)
        .join(
            Session,
            (Session.project_id == SegmentMember.project_id) & (Session.visitor_id == SegmentMember.visitor_id),
        )
        .where(
            SegmentMember.project_id == project_id,
            SegmentMember.segment_id == segment.id,
            Session.started_at >= seen_since - A_VISIT,
            Session.last_event_at >= seen_since,
        )
    )
    people = await visitors_together(tx, project_id, set(inside))
    await outdate_marks(tx, project_id, {visitor for person in people.values() for visitor in person})
