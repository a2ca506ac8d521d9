"""Reservations: what a decision may only show once it is set aside for this visitor, in the commit of the decision.

A budget, a cap and a code are rows. Of any number of decisions at the same moment only as many get theirs as there is
room for: each row is changed on the condition that there is room, and PostgreSQL asks again after waiting for another.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.events.turns import Reservation, Turn, issue_key
from insights.identity.mailbox import mailbox_key
from insights.models import DiscountCode, LiveClaim, LiveSpend, Person, Shop, Visitor


async def reserve(tx: AsyncSession, project_id: UUID, wanted: Reservation) -> bool:
    """Sets everything aside, or nothing: False when there is no room left for one of them.

    What was set aside for a decision before, by a commit whose answer was lost, stays as it is.
    """
    key = issue_key(wanted.decision_id)
    if wanted.code and await tx.scalar(
        select(DiscountCode.code).where(DiscountCode.project_id == project_id, DiscountCode.issue_key == key)
    ):
        return True
    async with tx.begin_nested() as point:
        # In one order everywhere, the rows that most wait for last: whoever holds them is soon done.
        personal = any(turn.of_person for turn in wanted.turns)
        others = await _other_devices(tx, project_id, wanted.visitor_id) if personal else []
        turns = await _with_mailbox(tx, project_id, wanted)
        for turn in sorted(turns, key=lambda turn: (turn.scope, turn.key)):
            taken = await _taken(tx, project_id, turn, others) if turn.of_person and others else 0
            if not await _take_turn(tx, project_id, replace(turn, most=turn.most - taken), wanted.at):
                await point.rollback()
                return False
        if wanted.cost_minor and not await _spend(tx, project_id, wanted):
            await point.rollback()
            return False
        if wanted.code:
            await tx.execute(
                insert(DiscountCode).values(
                    project_id=project_id,
                    code=wanted.code,
                    issue_key=key,
                    visitor_id=wanted.visitor_id,
                    percent=wanted.percent,
                    issued_at=wanted.at,
                    expires_at=wanted.at + wanted.valid_for,
                )
            )
    return True


async def _with_mailbox(tx: AsyncSession, project_id: UUID, wanted: Reservation) -> list[Turn]:
    """The turns, those of a mailbox with its key, and without them where the visitor gave no address."""
    if not any(turn.of_mailbox for turn in wanted.turns):
        return list(wanted.turns)
    mine = (Visitor.project_id == project_id, Visitor.id == wanted.visitor_id)
    address = await tx.scalar(select(Visitor.email).where(*mine))
    salt = await tx.scalar(select(Shop.salt).where(Shop.project_id == project_id))
    key = None if salt is None else mailbox_key(salt, address)
    keyed = [replace(turn, key=key) if turn.of_mailbox and key is not None else turn for turn in wanted.turns]
    return [turn for turn in keyed if turn.key or not turn.of_mailbox]


async def _other_devices(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> list[bytes]:
    """The person's other visitors; until the transaction ends, none of them has anything set aside."""
    mine = select(Person.person_id).where(Person.project_id == project_id, Person.visitor_id == visitor_id)
    person_id = await tx.scalar(mine)
    if person_id is None:
        return []
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"turns of {person_id}", 0))))
    theirs = select(Person.visitor_id).where(Person.project_id == project_id, Person.person_id == person_id)
    return [one.bytes for one in await tx.scalars(theirs) if one != visitor_id]


async def _taken(tx: AsyncSession, project_id: UUID, turn: Turn, keys: Collection[bytes]) -> int:
    taken = await tx.scalar(
        select(func.coalesce(func.sum(LiveClaim.count), 0)).where(
            LiveClaim.project_id == project_id,
            LiveClaim.scope == turn.scope,
            LiveClaim.key.in_(keys),
            LiveClaim.period == turn.period,
        )
    )
    return int(taken or 0)


async def _take_turn(tx: AsyncSession, project_id: UUID, turn: Turn, at: datetime) -> bool:
    if turn.most < 1:
        return False
    taken = await tx.execute(
        insert(LiveClaim)
        .values(project_id=project_id, scope=turn.scope, key=turn.key, period=turn.period, count=1, last_at=at)
        .on_conflict_do_update(
            index_elements=["project_id", "scope", "key", "period"],
            set_={"count": LiveClaim.count + 1, "last_at": func.greatest(LiveClaim.last_at, at)},
            where=LiveClaim.count < turn.most,
        )
        .returning(LiveClaim.count)
    )
    return taken.first() is not None


async def _spend(tx: AsyncSession, project_id: UUID, wanted: Reservation) -> bool:
    budget = wanted.budget_minor
    if budget is not None and wanted.cost_minor > budget:
        return False
    statement = insert(LiveSpend).values(
        project_id=project_id, action_id=wanted.entry_id, day=wanted.at.date(), spent_minor=wanted.cost_minor, given=1
    )
    spent = LiveSpend.spent_minor + wanted.cost_minor
    done = await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["project_id", "action_id", "day"],
            set_={"spent_minor": spent, "given": LiveSpend.given + 1},
            where=None if budget is None else spent <= budget,
        ).returning(LiveSpend.given)
    )
    return done.first() is not None
