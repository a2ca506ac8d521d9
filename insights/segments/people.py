"""Tells flows who is one person with whom, and who is in a segment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.identity.together import hold_people
from insights.models import Segment, SegmentMember


class ShopPeople:
    """The people of a shop, as flows ask for them."""

    async def hold(
        self, tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]
    ) -> Mapping[UUID, Sequence[UUID]]:
        return await hold_people(tx, project_id, visitors)

    async def in_segment(
        self, tx: AsyncSession, project_id: UUID, segment: str, after: UUID | None, most: int
    ) -> Sequence[UUID]:
        """As of each visitor's last closed visit, and those who were added."""
        query = (
            select(SegmentMember.visitor_id)
            .join(Segment, (Segment.project_id == SegmentMember.project_id) & (Segment.id == SegmentMember.segment_id))
            .where(SegmentMember.project_id == project_id, Segment.name == segment)
            .order_by(SegmentMember.visitor_id)
            .limit(most)
        )
        if after is not None:
            query = query.where(SegmentMember.visitor_id > after)
        return (await tx.scalars(query)).all()
