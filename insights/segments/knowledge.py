"""What is known of a visitor for conditions: in a flow, in a segment, now. Segments are looked at anew each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions import Asked, Compiled, Condition, Facts, FactsSource, Fields, Known, asked_by
from insights.conditions.fields import FIELDS
from insights.conditions.trigger_facts import answered_by_trigger, known_of_trigger
from insights.identity.together import person_of
from insights.models import Segment, SegmentMember
from insights.segments.gather import VisitorGathering
from insights.segments.store import IN_SEGMENT, conditions_of_segments, segments_named

_SOURCE = FactsSource(FIELDS)
_IN_SEGMENT: Asked = (IN_SEGMENT, ())


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
        trigger: Mapping[str, Any],
        now: datetime,
    ) -> Facts:
        """The facts for evaluating ``wanted``. ``trigger``: the facts stored with a run, {} without one."""
        conditions = list(wanted)
        of_trigger = known_of_trigger(trigger)
        asked = {one for one in asked_by(conditions) if not answered_by_trigger(trigger, one[0])}
        values = {one: value for one, value in of_trigger.items() if answered_by_trigger(trigger, one[0])}
        visitor = VisitorView(tx, project_id, visitor_id, now)
        values.update(await visitor.values(asked, {name for one in conditions for name in segments_named(one)}))
        return Facts(values, now)


class VisitorView:
    """One visitor as conditions see them, within one transaction: fields, and which segments they are in."""

    def __init__(
        self,
        tx: AsyncSession,
        project_id: UUID,
        visitor_id: UUID,
        now: datetime,
        segments: Mapping[str, Condition | None] | None = None,
    ) -> None:
        self._tx = tx
        self._project_id = project_id
        self._visitor_id = visitor_id
        self._now = now
        self._gathering = VisitorGathering(tx, project_id, visitor_id, now)
        self._segments = segments
        self._added: set[str] | None = None
        self._members: dict[str, bool] = {}

    async def values(self, asked: Iterable[Asked], segments: Iterable[str] = ()) -> dict[Asked, Known]:
        """The known ones of the fields asked for; ``segments`` are those that the asking conditions name."""
        asked = set(asked)
        values = await self._gathering.values(asked - {_IN_SEGMENT})
        if _IN_SEGMENT in asked:
            values[_IN_SEGMENT] = frozenset([name for name in segments if await self.is_member(name)])
        return values

    async def facts(self, condition: Condition) -> Facts:
        """What is known of them for one condition."""
        return Facts(await self.values(asked_by([condition]), segments_named(condition)), self._now)

    async def is_member(self, name: str) -> bool:
        """Whether they are in a segment now: added to it, or its condition is true of them."""
        if name not in self._members:
            # Before its condition is looked at: should segments ever lead in a circle, it ends here.
            self._members[name] = name in await self._added_to()
            self._members[name] = self._members[name] or await self.matches(name)
        return self._members[name]

    async def matches(self, name: str) -> bool:
        """Whether the condition of a segment is true of them."""
        if self._segments is None:
            self._segments = await conditions_of_segments(self._tx, self._project_id)
        condition = self._segments.get(name)
        if condition is None:
            return False
        return Compiled(condition, FIELDS, _SOURCE).holds(await self.facts(condition))

    async def _added_to(self) -> set[str]:
        if self._added is None:
            person = await person_of(self._tx, self._project_id, self._visitor_id)
            rows = await self._tx.scalars(
                select(Segment.name)
                .join(
                    SegmentMember,
                    (SegmentMember.project_id == Segment.project_id) & (SegmentMember.segment_id == Segment.id),
                )
                .where(
                    Segment.project_id == self._project_id,
                    SegmentMember.visitor_id.in_(person),
                    SegmentMember.added.is_(True),
                )
            )
            self._added = set(rows)
        return self._added
