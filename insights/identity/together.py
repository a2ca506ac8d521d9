"""Who is the same person as a visitor: read, or held so that it stays so while runs are started or cancelled."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flows.triggers import lock_visitors
from insights.models import Person

_TOGETHER = text("""
SELECT one.visitor_id, other.visitor_id FROM person AS one
JOIN person AS other ON other.project_id = one.project_id AND other.person_id = one.person_id
WHERE one.project_id = :project AND one.visitor_id = ANY(:visitors)
""")


async def visitors_together(
    tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]
) -> dict[UUID, tuple[UUID, ...]]:
    """Each of ``visitors`` with all visitors of their person, themselves among them, in the order of their ids."""
    together: dict[UUID, set[UUID]] = {visitor: {visitor} for visitor in visitors}
    if visitors:
        for one, other in await tx.execute(_TOGETHER, {"project": project_id, "visitors": list(visitors)}):
            together[one].add(other)
    return {visitor: tuple(sorted(others)) for visitor, others in together.items()}


async def person_of(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> tuple[UUID, ...]:
    """All visitors of one visitor's person, themselves among them."""
    return (await visitors_together(tx, project_id, [visitor_id]))[visitor_id]


async def person_id_of(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> UUID:
    """The id of a visitor's person: that of the visitor who was linked first, their own where they are alone."""
    found = await tx.scalar(
        select(Person.person_id).where(Person.project_id == project_id, Person.visitor_id == visitor_id)
    )
    return found or visitor_id


async def hold_people(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """As ``visitors_together``; until the transaction ends nobody else starts or cancels runs of any of them.

    Locks are taken in one order everywhere: sessions, links, visitors, runs. Whoever joins between the reading and the
    lock is locked late; should that close a circle, the database breaks it and the transaction is tried again.
    """
    held: set[UUID] = set()
    together = await visitors_together(tx, project_id, visitors)
    while missing := {one for group in together.values() for one in group} - held:
        await lock_visitors(tx, missing)
        held |= missing
        together = await visitors_together(tx, project_id, visitors)
    return together
