"""Reads the events of some types that people told of: of many at once where they are few, one by one otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Conversion
from insights.conditions.event_fields import HappenedEvent
from insights.events.orders import HAS_NO_VISIT
from insights.models import Event, Session

MOST_EVENTS: Final = 5_000
"""Of the types asked for, on one visitor; older ones are not looked at."""
MOST_AT_ONCE: Final = 20_000
"""Of several visitors at once: more, and they are read one by one."""
MOST_SESSIONS: Final = 2_000
"""The latest; of several visitors at once as well."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its session."""

    session_id: UUID
    type: str
    event: HappenedEvent


async def read_told(
    tx: AsyncSession,
    project_id: UUID,
    people: Mapping[UUID, Collection[UUID]],
    kinds: Collection[str],
    window: timedelta | None,
    now: datetime,
) -> dict[UUID, list[Told]]:
    """The events of these types of each visitor's person, the latest first. ``people``: visitor → all of theirs.

    ``window``: how far back; None for all that is kept.
    """
    since = None if window is None else _before(now, window)
    if len(people) > 1:
        found = await _read(tx, project_id, people, kinds, since, now, MOST_AT_ONCE)
        if found is not None:
            return found
    told: dict[UUID, list[Told]] = {}
    for visitor_id, person in people.items():
        alone = {visitor_id: person}
        told |= await _read(tx, project_id, alone, kinds, since, now, MOST_EVENTS, rest=True) or {}
    return told


async def _read(
    tx: AsyncSession,
    project_id: UUID,
    people: Mapping[UUID, Collection[UUID]],
    kinds: Collection[str],
    since: datetime | None,
    now: datetime,
    most: int,
    *,
    rest: bool = False,
) -> dict[UUID, list[Told]] | None:
    """None when there are ``most`` or more (or too many sessions), unless the ``rest`` may be left out."""
    members = {member for person in people.values() for member in person}
    theirs = select(Session.id).where(Session.project_id == project_id, Session.visitor_id.in_(members))
    if since is not None:
        theirs = theirs.where(Session.last_event_at >= since)
    # Listed, so that only the partitions of these days are looked at.
    sessions = list(await tx.scalars(theirs.order_by(Session.id.desc()).limit(MOST_SESSIONS)))
    if "purchased" in kinds:
        sessions += await _of_no_visit(tx, project_id, members, since)
    rows = (
        await tx.execute(
            select(Event.visitor_id, Event.session_id, Event.type, Event.occurred_at, Event.props)
            .where(
                Event.project_id == project_id,
                Event.session_id.in_(sessions),
                Event.visitor_id.in_(members),
                Event.type.in_(kinds),
            )
            .order_by(Event.occurred_at.desc(), Event.id.desc())
            .limit(most)
        )
    ).all()
    if not rest and (len(rows) >= most or len(sessions) >= MOST_SESSIONS):
        return None
    by_member: dict[UUID, list[Told]] = {}
    for row in rows:
        event = HappenedEvent(row.occurred_at, now - row.occurred_at, row.props)
        by_member.setdefault(row.visitor_id, []).append(Told(row.session_id, row.type, event))
    found = {}
    for visitor_id, person in people.items():
        told = [one for member in person for one in by_member.get(member, ())]
        found[visitor_id] = sorted(told, key=lambda one: one.event.at, reverse=True)
    return found


async def _of_no_visit(
    tx: AsyncSession, project_id: UUID, members: Collection[UUID], since: datetime | None
) -> list[UUID]:
    """Where the events of those orders of theirs are stored that were placed in no visit."""
    stored = select(Conversion.session_id).where(
        Conversion.project_id == project_id, Conversion.visitor_id.in_(members), HAS_NO_VISIT
    )
    if since is not None:
        stored = stored.where(Conversion.occurred_at >= since)
    return [one for one in await tx.scalars(stored.limit(MOST_SESSIONS)) if one is not None]


def _before(now: datetime, window: timedelta) -> datetime:
    try:
        return now - window
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
