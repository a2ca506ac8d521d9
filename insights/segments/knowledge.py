"""What is known of visitors for conditions: in a flow, in a segment, now. Segments are looked at anew each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions import Asked, Compiled, Condition, Facts, FactsSource, Fields, Known, asked_by
from insights.conditions.fields import FIELDS
from insights.conditions.trigger_facts import answered_by_trigger, known_of_trigger
from insights.models import Segment, SegmentMember
from insights.segments.crowd import Crowd
from insights.segments.store import IN_SEGMENT, conditions_of_segments, segments_named

SOURCE: Final = FactsSource(FIELDS)
_IN_SEGMENT: Final[Asked] = (IN_SEGMENT, ())


class VisitorKnowledge:
    """What flows may ask of a visitor: the trigger's visit as it was, everything else as it is now."""

    @property
    def fields(self) -> Fields:
        return FIELDS

    async def known(
        self,
        tx: AsyncSession,
        project_id: UUID,
        visitor_id: UUID,
        wanted: Iterable[Condition],
        trigger: Mapping[str, object],
        now: datetime,
    ) -> Facts:
        """The facts for evaluating ``wanted``. ``trigger``: the facts stored with a run, {} without one."""
        conditions = list(wanted)
        of_trigger = known_of_trigger(trigger)
        asked = {one for one in asked_by(conditions) if not answered_by_trigger(trigger, one[0])}
        values = {one: value for one, value in of_trigger.items() if answered_by_trigger(trigger, one[0])}
        if asked:
            group = Group(Crowd(tx, project_id, [visitor_id], now))
            named = {name for one in conditions for name in segments_named(one)}
            values.update(await group.values(visitor_id, asked, named))
        return Facts(values, now)


class Group:
    """Visitors as conditions see them, within one transaction: their fields, and which segments they are in."""

    def __init__(self, crowd: Crowd, segments: Mapping[str, Condition | None] | None = None) -> None:
        self.crowd = crowd
        self._segments = segments
        self._compiled: dict[str, Compiled[Facts]] = {}
        self._added: dict[UUID, set[str]] | None = None
        self._members: dict[tuple[UUID, str], bool] = {}

    async def values(
        self, visitor_id: UUID, asked: Iterable[Asked], segments: Iterable[str] = ()
    ) -> dict[Asked, Known]:
        """The known ones of the fields asked for; ``segments`` are those that the asking conditions name."""
        asked = set(asked)
        values = await self.crowd.values(visitor_id, asked - {_IN_SEGMENT})
        if _IN_SEGMENT in asked:
            values[_IN_SEGMENT] = frozenset([name for name in segments if await self.is_member(visitor_id, name)])
        return values

    async def facts(self, visitor_id: UUID, condition: Condition) -> Facts:
        """What is known of one of them for one condition."""
        values = await self.values(visitor_id, asked_by([condition]), segments_named(condition))
        return Facts(values, self.crowd.now)

    async def is_member(self, visitor_id: UUID, name: str) -> bool:
        """Whether one of them is in a segment now: added to it, or its condition is true of them."""
        key = visitor_id, name
        if key not in self._members:
            # Before its condition is looked at: should segments ever lead in a circle, it ends here.
            self._members[key] = name in await self._added_to(visitor_id)
            self._members[key] = self._members[key] or await self.matches(visitor_id, name)
        return self._members[key]

    async def matches(self, visitor_id: UUID, name: str) -> bool:
        """Whether the condition of a segment is true of one of them."""
        if self._segments is None:
            self._segments = await conditions_of_segments(self.crowd.tx, self.crowd.project_id)
        condition = self._segments.get(name)
        if condition is None:
            return False
        if name not in self._compiled:
            self._compiled[name] = Compiled(condition, FIELDS, SOURCE)
        return self._compiled[name].holds(await self.facts(visitor_id, condition))

    async def _added_to(self, visitor_id: UUID) -> set[str]:
        crowd = self.crowd
        if self._added is None:
            people = {one: await crowd.person(one) for one in crowd.visitors}
            rows = await crowd.tx.execute(
                select(SegmentMember.visitor_id, Segment.name)
                .join(
                    Segment,
                    (SegmentMember.project_id == Segment.project_id) & (SegmentMember.segment_id == Segment.id),
                )
                .where(
                    SegmentMember.project_id == crowd.project_id,
                    SegmentMember.visitor_id.in_({member for person in people.values() for member in person}),
                    SegmentMember.added.is_(True),
                )
            )
            by_member: dict[UUID, set[str]] = {}
            for member, name in rows:
                by_member.setdefault(member, set()).add(name)
            self._added = {
                one: {name for member in person for name in by_member.get(member, ())} for one, person in people.items()
            }
        return self._added[visitor_id]
