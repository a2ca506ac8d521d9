"""Erases people: every row of theirs in every table, found by the tables' own columns so that a new table is covered.

What remains says nothing of anybody: counts in reports that were made before, and the fact that somebody asked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import Table, delete, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.base import Base
from flows.models import Delivery, FlowRun, RunEvent, Suppression
from flows.triggers import lock_visitors
from insights.models import IdentityLink, RejectedEvent, Visitor
from insights.privacy.person import Asked

_BY_VISITOR: Final = "visitor_id"

# A message that was refused is kept as it came, so a name may stand anywhere in it.
_REJECTED = text("""
DELETE FROM rejected_event WHERE project_id = :project AND (
    envelope->>'visitor' = ANY(:visitors)
    OR EXISTS (SELECT FROM unnest(CAST(:words AS text[])) AS word WHERE position(convert_to(word, 'UTF8') in raw) > 0))
""")


async def erase_visitors(
    tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID], asked: Asked | None = None
) -> dict[str, int]:
    """Erases these visitors and whatever names ``asked`` goes by. Returns how many rows of which table.

    Runs of theirs are held until the transaction ends: nothing goes out meanwhile.
    """
    visitors = sorted(set(visitor_ids))
    counts: dict[str, int] = {}
    await lock_visitors(tx, visitors)
    names = await _names(tx, project_id, visitors, asked)
    runs = select(FlowRun.id).where(FlowRun.project_id == project_id, FlowRun.visitor_id.in_(visitors))
    addresses = select(Delivery.recipient).where(
        Delivery.project_id == project_id, Delivery.visitor_id.in_(visitors), Delivery.recipient.is_not(None)
    )
    recipients = {*names, *(await tx.scalars(addresses))}
    counts["run_event"] = await _count(
        tx, delete(RunEvent).where(RunEvent.project_id == project_id, RunEvent.run_id.in_(runs))
    )
    counts["suppression"] = await _count(
        tx, delete(Suppression).where(Suppression.project_id == project_id, Suppression.recipient.in_(recipients))
    )
    counts["identity_link"] = await _count(
        tx,
        delete(IdentityLink).where(
            IdentityLink.project_id == project_id,
            or_(
                IdentityLink.subject.in_([*names, *map(str, visitors)]),
                IdentityLink.name.in_([*names, *map(str, visitors)]),
            ),
        ),
    )
    found = await tx.execute(
        _REJECTED,
        {"project": project_id, "visitors": [str(v) for v in visitors], "words": [_as_json(name) for name in names]},
    )
    counts["rejected_event"] = getattr(found, "rowcount", 0)
    for table in tables_of_visitors():
        counts[table.name] = await _count(
            tx, delete(table).where(table.c.project_id == project_id, table.c.visitor_id.in_(visitors))
        )
    counts["visitor"] = await _count(
        tx, delete(Visitor).where(Visitor.project_id == project_id, Visitor.id.in_(visitors))
    )
    return {name: count for name, count in counts.items() if count}


async def erase_everybody(tx: AsyncSession, project_id: UUID) -> dict[str, int]:
    """Erases all visitors of a project. Its flows, keys and settings stay."""
    counts: dict[str, int] = {}
    whole = [RunEvent.__table__, Suppression.__table__, IdentityLink.__table__, RejectedEvent.__table__]
    for table in (*whole, *tables_of_visitors(), Visitor.__table__):
        assert isinstance(table, Table)  # noqa: S101  (narrows what SQLAlchemy's type widens)
        counts[table.name] = await _count(tx, delete(table).where(table.c.project_id == project_id))
    return {name: count for name, count in counts.items() if count}


def tables_of_visitors() -> list[Table]:
    """The tables with rows about one visitor each."""
    return [table for table in Base.metadata.sorted_tables if _BY_VISITOR in table.c]


async def _names(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], asked: Asked | None) -> set[str]:
    rows = await tx.execute(
        select(Visitor.user_id, Visitor.email, Visitor.phone).where(
            Visitor.project_id == project_id, Visitor.id.in_(list(visitors))
        )
    )
    said = {name for row in rows for name in row if name}
    # As links spell them, and those that were said before the last ones.
    followed = select(IdentityLink.name).where(
        IdentityLink.project_id == project_id,
        IdentityLink.subject.in_([str(visitor) for visitor in visitors]),
        IdentityLink.refused.is_(None),
    )
    said |= set(await tx.scalars(followed))
    said |= set(asked.names) if asked is not None else set()
    return said | {name.lower() for name in said}


def _as_json(name: str) -> str:
    # In quotes, so that the customer 1 is not found in every number.
    return f'"{name}"'


async def _count(tx: AsyncSession, statement: object) -> int:
    result = await tx.execute(statement)  # type: ignore[call-overload]
    return int(result.rowcount)
