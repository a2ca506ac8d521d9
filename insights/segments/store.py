"""Segments as they are defined: create, change, delete, and what may not be: a circle, a name that means nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.acting import consequence
from adapters.postgres.documents import same
from flows.conditions import Check, Condition, ConditionInvalid, checks_of, understand, write
from flows.conditions.faults import did_you_mean
from flows.errors import Fault
from insights.conditions.fields import condition as understood
from insights.conditions.places import Place
from insights.errors import Changed, InUse, NotFound, Refused
from insights.models import Segment, SegmentMember, SegmentMove
from insights.vocabulary.handles import HANDLE

MOST_SEGMENTS: Final = 200
"""In a project: each is looked at when a session closes."""
IN_SEGMENT: Final = "visitor.segments"
LONGEST_DESCRIPTION: Final = 1_000

Users = Mapping[str, Iterable[Condition]]
"""Who else than segments has conditions, and which they are."""


def segments_named(condition: Condition) -> set[str]:
    """The segments that a condition asks about."""
    return {name for _, check in checks_of(condition) for name in _names(check)}


def _names(check: Check) -> list[str]:
    if check.field != IN_SEGMENT:
        return []
    values = check.value if isinstance(check.value, tuple) else (check.value,)
    return [value.casefold() for value in values if isinstance(value, str)]


def unknown_segments(condition: Condition, known: Iterable[str]) -> list[Fault]:
    """A fault for each segment that a condition names and that there is not."""
    names = set(known)
    return [
        Fault(f"{pointer}/value", f"there is no segment {name}", did_you_mean(name, names))
        for pointer, check in checks_of(condition)
        for name in _names(check)
        if name not in names
    ]


def refuse_unknown_segments(condition: Condition, known: Iterable[str]) -> None:
    """Raises ConditionInvalid where a condition names a segment that there is not."""
    if faults := unknown_segments(condition, known):
        raise ConditionInvalid(faults)


async def conditions_of_segments(tx: AsyncSession, project_id: UUID) -> dict[str, Condition | None]:
    """Every segment of a project by name, with its condition (None: its members are only ever added)."""
    rows = await tx.execute(select(Segment.name, Segment.condition).where(Segment.project_id == project_id))
    return {name: stored(document) for name, document in rows}


def stored(document: Mapping[str, object] | None) -> Condition | None:
    """A condition as it was stored; it was checked then."""
    return understand(dict(document)) if document is not None else None


async def list_segments(tx: AsyncSession, project_id: UUID) -> list[tuple[Segment, int]]:
    """The segments by name, each with how many visitors were in it at their last visit."""
    members = (
        select(func.count())
        .where(SegmentMember.project_id == project_id, SegmentMember.segment_id == Segment.id)
        .correlate(Segment)
        .scalar_subquery()
    )
    rows = await tx.execute(select(Segment, members).where(Segment.project_id == project_id).order_by(Segment.name))
    return [(row[0], row[1]) for row in rows]


async def get_segment(tx: AsyncSession, project_id: UUID, name: str, *, lock: bool = False) -> Segment:
    """The segment of that name. Raises NotFound."""
    query = select(Segment).where(Segment.project_id == project_id, Segment.name == name)
    # What is no name is not looked for: not every text can be sent to the database.
    segment = await tx.scalar(query.with_for_update() if lock else query) if HANDLE.fullmatch(name) else None
    if segment is None:
        raise NotFound(f"There is no segment {name[:60]!r} in this project. Somebody may have renamed or deleted it.")
    return segment


async def members_of(tx: AsyncSession, segment: Segment) -> int:
    """How many visitors were in it at their last visit, or were added."""
    count = select(func.count()).where(
        SegmentMember.project_id == segment.project_id, SegmentMember.segment_id == segment.id
    )
    return await tx.scalar(count) or 0


async def create_segment(
    tx: AsyncSession, project_id: UUID, *, name: str, description: str, written: object | None, now: datetime
) -> Segment:
    """A new segment. ``written``: its condition, text or JSON; None for one whose members are only ever added.

    Raises Refused for a name or number that does not fit, InUse for a name there is, ConditionInvalid.
    """
    refuse_no_name(name)
    await _lock(tx, project_id)
    others = await conditions_of_segments(tx, project_id)
    refuse_taken(name, others)
    if len(others) >= MOST_SEGMENTS:
        raise Refused(f"A project has at most {MOST_SEGMENTS} segments. Delete one that nothing uses.", field="name")
    segment = Segment(
        project_id=project_id,
        id=uuid4(),
        name=name,
        description=_description(description),
        condition=_checked(name, written, others),
        version=1,
        created_at=now,
        updated_at=now,
    )
    tx.add(segment)
    await tx.flush()
    return segment


async def change_segment(
    tx: AsyncSession,
    project_id: UUID,
    name: str,
    *,
    description: str,
    written: object | None,
    version: int | None,
    now: datetime,
) -> Segment:
    """Changes a segment. ``version``: the one the caller saw; None to overwrite whatever it is.

    Who was in it by its old condition is forgotten: membership is looked at again at each visitor's next visit, and
    whenever it is asked for. Raises NotFound, Changed, Refused, ConditionInvalid.
    """
    await _lock(tx, project_id)
    segment = await get_segment(tx, project_id, name, lock=True)
    _hold_to_version(segment, version)
    others = await conditions_of_segments(tx, project_id)
    others.pop(segment.name)
    condition = _checked(segment.name, written, others)
    if condition != segment.condition:
        async with consequence(tx):  # thousands may have been in it
            await tx.execute(
                delete(SegmentMember).where(
                    SegmentMember.project_id == project_id,
                    SegmentMember.segment_id == segment.id,
                    SegmentMember.added.is_(False),
                )
            )
        kept = select(SegmentMember.visitor_id).where(
            SegmentMember.project_id == project_id, SegmentMember.segment_id == segment.id
        )
        # They moved by another condition: of this one they say nothing.
        await tx.execute(
            delete(SegmentMove).where(
                SegmentMove.project_id == project_id,
                SegmentMove.segment_id == segment.id,
                SegmentMove.visitor_id.not_in(kept),
            )
        )
    text = _description(description)
    if not same((segment.condition, segment.description), (condition, text)):
        segment.condition, segment.description = condition, text
        segment.version, segment.updated_at = segment.version + 1, now
        await tx.flush()
    return segment


async def delete_segment(
    tx: AsyncSession,
    project_id: UUID,
    name: str,
    *,
    version: int | None,
    users: Users,
) -> None:
    """Deletes a segment that nothing asks about. Raises NotFound, Changed, InUse."""
    await _lock(tx, project_id)
    segment = await get_segment(tx, project_id, name, lock=True)
    _hold_to_version(segment, version)
    if users_told := using(segment.name, await conditions_of_segments(tx, project_id), users):
        raise InUse(f"{segment.name} is used by {users_told}. Change that first.")
    async with consequence(tx):
        await tx.execute(
            delete(SegmentMember).where(SegmentMember.project_id == project_id, SegmentMember.segment_id == segment.id)
        )
    await tx.execute(
        delete(SegmentMove).where(SegmentMove.project_id == project_id, SegmentMove.segment_id == segment.id)
    )
    await tx.delete(segment)


def using(name: str, segments: Mapping[str, Condition | None], users: Users) -> str:
    """Who asks about a segment, the first ten; "" when nobody does."""
    found = [
        f"segment {other}"
        for other, condition in segments.items()
        if condition is not None and name in segments_named(condition)
    ]
    found += [
        user for user, conditions in users.items() if any(name in segments_named(condition) for condition in conditions)
    ]
    return ", ".join(found[:10])


def refuse_no_name(name: str) -> None:
    """Raises Refused for what cannot be a segment's name."""
    if not HANDLE.fullmatch(name):
        raise Refused(
            f"{name[:60]!r} is no name: use 1 to 60 of a-z, 0-9, _ and -, beginning with a letter or digit.",
            field="name",
        )


def refuse_taken(name: str, others: Iterable[str]) -> None:
    """Raises InUse for the name of another segment."""
    if name in others:
        raise InUse(f"There is a segment {name} already: change that one, or choose another name.", field="name")


def _hold_to_version(segment: Segment, version: int | None) -> None:
    if version is not None and segment.version != version:
        raise Changed(f"{segment.name} was changed meanwhile: it is at version {segment.version}. Read it again.")


def _description(text: str) -> str:
    if len(text) > LONGEST_DESCRIPTION:
        raise Refused(f"The description is longer than {LONGEST_DESCRIPTION} characters.", field="description")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise Refused("The description holds a character that cannot be stored.", field="description")
    return text


def _checked(name: str, written: object | None, others: Mapping[str, Condition | None]) -> dict[str, Any] | None:
    if written is None:
        return None
    condition = understood(written, Place.SEGMENT)
    faults = unknown_segments(condition, [name, *others])
    if not faults and (path := circle(name, condition, others)):
        fix = "take one of them out: a segment cannot depend on itself"
        faults = [
            Fault(f"{pointer}/value", f"leads in a circle: {' → '.join(path)}", fix)
            for pointer, check in checks_of(condition)
            if path[1] in _names(check)
        ]
    if faults:
        raise ConditionInvalid(faults)
    return write(condition)


def circle(name: str, condition: Condition, others: Mapping[str, Condition | None]) -> list[str] | None:
    """The way on which a segment with this condition would come back to itself, its name first and last; or None."""
    conditions = {**others, name: condition}
    visited: set[str] = set()
    ways = [[name]]
    while ways:
        way = ways.pop()
        found = conditions.get(way[-1])
        for following in sorted(segments_named(found)) if found is not None else ():
            if following == name:
                return [*way, name]
            if following not in visited:
                visited.add(following)
                ways.append([*way, following])
    return None


async def _lock(tx: AsyncSession, project_id: UUID) -> None:
    """One change of a project's segments at a time: two that are sound alone could make a circle together."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{project_id}/segments", 6))))
