"""Tags: words that the shop or a flow puts on a visitor."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import NotFound, Refused
from insights.identity.together import person_of
from insights.models import Visitor, VisitorTag
from insights.profiles.marks import outdate_marks

MOST_TAGS: Final = 50
"""On one visitor."""
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_:.-]{0,59}")


def tag_word(written: object) -> str:
    """A tag as it is stored: small letters. Raises Refused."""
    word = written.strip().lower() if isinstance(written, str) else ""
    if not _WORD.fullmatch(word):
        raise Refused(
            f"{str(written)[:60]!r} is no tag: use 1 to 60 of a-z, 0-9, _ : . and -, beginning with a letter or digit.",
            field="tag",
        )
    return word


async def tags_of(tx: AsyncSession, project_id: UUID, person: Sequence[UUID]) -> list[str]:
    """The tags on any of a person's visitors, in alphabetical order."""
    rows = await tx.scalars(
        select(VisitorTag.tag)
        .where(VisitorTag.project_id == project_id, VisitorTag.visitor_id.in_(person))
        .distinct()
        .order_by(VisitorTag.tag)
    )
    return list(rows)


async def known_tags(tx: AsyncSession, project_id: UUID, *, limit: int = 200) -> list[str]:
    """The tags in use, the most frequent first."""
    rows = await tx.scalars(
        select(VisitorTag.tag)
        .where(VisitorTag.project_id == project_id)
        .group_by(VisitorTag.tag)
        .order_by(func.count().desc(), VisitorTag.tag)
        .limit(limit)
    )
    return list(rows)


async def change_tags(
    tx: AsyncSession,
    project_id: UUID,
    visitor_id: UUID,
    *,
    put_on: Iterable[object] = (),
    take_off: Iterable[object] = (),
    by: str,
    now: datetime,
) -> list[str]:
    """Puts tags on and takes tags off; what is on already, or not on, stays as it is. Returns the tags afterwards.

    A tag on one of a person's visitors is on all of them, and is taken off all of them.
    Raises NotFound for a visitor nobody has heard of, Refused for a word that is no tag, one both ways, or too many.
    """
    adding, removing = {tag_word(one) for one in put_on}, {tag_word(one) for one in take_off}
    if both := sorted(adding & removing):
        raise Refused(f"{both[0]} is to be put on and taken off: name it once.", field="remove")
    known = await tx.scalar(select(Visitor.id).where(Visitor.project_id == project_id, Visitor.id == visitor_id))
    if known is None:
        raise NotFound(f"There is no visitor {visitor_id} in this project.")
    # Two callers one after the other, so that the limit holds. A lock of its own, taken last: whoever writes events
    # holds the visitor's row while it waits for the visitor's runs.
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{visitor_id}/tags", 7))))
    person = await person_of(tx, project_id, visitor_id)
    before = await tags_of(tx, project_id, person)
    if removing:
        await tx.execute(
            delete(VisitorTag).where(
                VisitorTag.project_id == project_id,
                VisitorTag.visitor_id.in_(person),
                VisitorTag.tag.in_(sorted(removing)),
            )
        )
    if adding:
        rows = [
            {"project_id": project_id, "visitor_id": visitor_id, "tag": tag, "set_at": now, "set_by": by}
            for tag in sorted(adding)
        ]
        await tx.execute(upsert(VisitorTag).values(rows).on_conflict_do_nothing())
    after = await tags_of(tx, project_id, person)
    _hold_to_limit(after)
    if after != before:
        await outdate_marks(tx, project_id, person)
    return after


def _hold_to_limit(tags: Collection[str]) -> None:
    if len(tags) > MOST_TAGS:
        raise Refused(f"A visitor has at most {MOST_TAGS} tags, not {len(tags)}: take some off first.", field="set")
