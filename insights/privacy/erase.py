"""Erases people: every row of theirs in every table, found by the tables' own columns so that a new table is covered.

What remains says nothing of anybody: counts in reports that were made before, and the fact that somebody asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Row, Table, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.spellings import spellings
from adapters.postgres.base import Base
from flows.models import Delivery, FlowRun, RunEvent, Suppression
from flows.triggers import lock_visitors
from insights.identity.links import Kind
from insights.identity.mailbox import mailbox_key
from insights.identity.names import user_id
from insights.models import (
    AnsweredRequest,
    Decision,
    IdentityLink,
    LiveClaim,
    Person,
    RejectedEvent,
    Reward,
    Session,
    Shop,
    Visitor,
)
from insights.privacy.named import Names
from insights.privacy.person import Asked

_BY_VISITOR: Final = "visitor_id"
_REJECTED_AT_ONCE: Final = 500


async def erase_visitors(
    tx: AsyncSession,
    project_id: UUID,
    visitor_ids: Collection[UUID],
    asked: Asked | None = None,
    *,
    faded: bool = False,
) -> dict[str, int]:
    """Erases these visitors and whatever names ``asked`` goes by. Returns how many rows of which table.

    ``faded``: nobody asked, they were not here for long. Names that visitors who stay go by stay theirs, and so does
    who opted out: whoever comes back with the same address must not be written to.
    Runs of theirs are held until the transaction ends: nothing goes out meanwhile.
    """
    visitors = sorted(set(visitor_ids))
    # Sessions before visitors and runs, as everybody takes them.
    theirs = select(Session.id).where(Session.project_id == project_id, Session.visitor_id.in_(visitors))
    await tx.execute(theirs.order_by(Session.id).with_for_update())
    await lock_visitors(tx, visitors)
    names = await names_of(tx, project_id, visitors, asked)
    runs = select(FlowRun.id).where(FlowRun.project_id == project_id, FlowRun.visitor_id.in_(visitors))
    recipients = set() if faded else await recipients_of(tx, project_id, visitors, names)
    if faded:
        names -= await _names_that_stay(tx, project_id, visitors, names)
    words = [*map(str, visitors), *names]
    answers = [*map(str, visitors), *map(_in_answers, names)]
    erase = _Eraser(tx, project_id)
    await erase(RunEvent, RunEvent.run_id.in_(runs))
    await erase(Suppression, Suppression.recipient.in_(recipients))
    await erase(IdentityLink, or_(IdentityLink.subject.in_(words), IdentityLink.name.in_(words)))
    async for rows in rejected_of(tx, project_id, {str(v) for v in visitors}, names):
        await erase(RejectedEvent, RejectedEvent.id.in_([row.id for row in rows]))
    decisions = select(Decision.id).where(Decision.project_id == project_id, Decision.visitor_id.in_(visitors))
    await erase(Reward, Reward.decision_id.in_(decisions))
    # Of a person who is still here one device faded: the others stay together, under the same id.
    if not faded:
        await erase(Person, Person.person_id.in_(visitors))
    await erase(AnsweredRequest, or_(*(AnsweredRequest.body.contains(word, autoescape=True) for word in answers)))
    await erase(LiveClaim, LiveClaim.key.in_(await claim_keys(tx, project_id, visitors, names)))
    for table in tables_of_visitors():
        await erase(table, table.c.visitor_id.in_(visitors))
    await erase(Visitor, Visitor.id.in_(visitors))
    return dict(erase.counts)


@dataclass(frozen=True, slots=True)
class _Eraser:
    """Deletes rows of one project and notes how many of which table; a table without any is not named."""

    tx: AsyncSession
    project_id: UUID
    counts: Counter[str] = field(default_factory=Counter)

    async def __call__(self, of: type[Base] | Table, *which: ColumnElement[bool]) -> None:
        """Deletes those that ``which`` holds of; all of them without it."""
        table = of if isinstance(of, Table) else of.__table__
        assert isinstance(table, Table)  # noqa: S101  (narrows what SQLAlchemy's type widens)
        result = await self.tx.execute(delete(of).where(table.c.project_id == self.project_id, *which))
        assert isinstance(result, CursorResult)  # noqa: S101  (as every deletion has)
        if result.rowcount:
            self.counts[table.name] += result.rowcount


async def _names_that_stay(
    tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], names: Collection[str]
) -> set[str]:
    """Which of these names somebody else goes by, too, by their own links or by those of a customer they are."""
    rows = await tx.execute(
        select(IdentityLink.subject_kind, IdentityLink.subject, IdentityLink.name).where(
            IdentityLink.project_id == project_id,
            or_(IdentityLink.subject.in_(list(names)), IdentityLink.name.in_(list(names))),
        )
    )
    links = [tuple(row) for row in rows]
    going = {str(visitor) for visitor in visitors}
    stay = {name for kind, subject, name in links if kind == Kind.VISITOR and subject not in going}
    between = [{subject, name} for kind, subject, name in links if kind != Kind.VISITOR]
    while more := {end for pair in between if pair & stay for end in pair - stay}:
        stay |= more
    return stay | {name.lower() for name in stay} | {name for name in names if name.lower() in stay}


async def claim_keys(
    tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], names: Collection[str]
) -> list[bytes]:
    """The keys that these visitors' turns, and those of these names' mailboxes, are counted by."""
    salt = await tx.scalar(select(Shop.salt).where(Shop.project_id == project_id))
    mailboxes = [] if salt is None else [key for name in names if (key := mailbox_key(salt, name)) is not None]
    return [*(visitor.bytes for visitor in visitors), *mailboxes]


async def erase_everybody(tx: AsyncSession, project_id: UUID) -> dict[str, int]:
    """Erases all visitors of a project. Its flows, keys and settings stay."""
    erase = _Eraser(tx, project_id)
    for model in (AnsweredRequest, Reward, LiveClaim, RunEvent, Suppression, IdentityLink, RejectedEvent):
        await erase(model)
    for table in tables_of_visitors():
        await erase(table)
    await erase(Visitor)
    return dict(erase.counts)


def tables_of_visitors() -> list[Table]:
    """The tables with rows about one visitor each. More are in ``erase_visitors``, by what else their rows name."""
    return [table for table in Base.metadata.sorted_tables if _BY_VISITOR in table.c]


async def names_of(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], asked: Asked | None) -> set[str]:
    """Every name that these visitors go by, as they were said and as links spell them."""
    rows = await tx.execute(
        select(Visitor.user_id, Visitor.email, Visitor.phone).where(
            Visitor.project_id == project_id, Visitor.id.in_(list(visitors))
        )
    )
    found = rows.all()
    said = {name for row in found for name in row if name}
    # As links spell them, and those that were said before the last ones.
    followed = (
        await tx.execute(
            select(IdentityLink.name_kind, IdentityLink.name).where(
                IdentityLink.project_id == project_id,
                IdentityLink.subject.in_([str(visitor) for visitor in visitors]),
                IdentityLink.refused.is_(None),
            )
        )
    ).all()
    said |= {name for _, name in followed}
    # Whoever was logged in said an address of the customer, not of the device.
    customers = {row.user_id for row in found} | {name for kind, name in followed if kind == Kind.USER_ID}
    customers |= {asked.user_id} if asked is not None else set()
    said |= set(
        await tx.scalars(
            select(IdentityLink.name).where(
                IdentityLink.project_id == project_id,
                IdentityLink.subject_kind == Kind.USER_ID,
                IdentityLink.subject.in_([known for name in customers if (known := user_id(name)) is not None]),
                IdentityLink.name_kind.in_([Kind.EMAIL, Kind.PHONE]),
                IdentityLink.refused.is_(None),
            )
        )
    )
    said |= set(asked.names) if asked is not None else set()
    return said | {name.lower() for name in said}


async def recipients_of(
    tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], names: Collection[str]
) -> set[str]:
    """What these visitors may be on the suppression list as: names of theirs and where messages went."""
    addresses = select(Delivery.recipient).where(
        Delivery.project_id == project_id, Delivery.visitor_id.in_(list(visitors)), Delivery.recipient.is_not(None)
    )
    return {spelled for said in (*names, *(await tx.scalars(addresses))) for spelled in spellings(said)}


async def rejected_of(
    tx: AsyncSession, project_id: UUID, visitors: set[str], names: Collection[str]
) -> AsyncIterator[list[Row[Any]]]:
    """The refused messages that are of these visitors or name them, in parts: id, received_at, raw and error.

    What was refused is kept as it came, sealed whole: a name may stand anywhere in it, so each is opened.
    """
    words = Names([*names, *visitors])
    last = UUID(int=0)
    while True:
        rows = (
            await tx.execute(
                select(
                    RejectedEvent.id,
                    RejectedEvent.envelope,
                    RejectedEvent.raw,
                    RejectedEvent.received_at,
                    RejectedEvent.error,
                )
                .where(RejectedEvent.project_id == project_id, RejectedEvent.id > last)
                .order_by(RejectedEvent.id)
                .limit(_REJECTED_AT_ONCE)
            )
        ).all()
        if not rows:
            return
        last = rows[-1].id
        theirs = [row for row in rows if words.stand_in(row.raw, row.envelope)]
        if theirs:
            yield theirs


def _in_answers(name: str) -> str:
    """How an answer has a name in it: an address also within a text, others as a text of their own, so that the
    customer 1 is not found in every number."""
    text = json.dumps(name, ensure_ascii=False)
    return text[1:-1] if "@" in name else text
