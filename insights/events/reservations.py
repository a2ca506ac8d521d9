"""Reservations: what a decision may only show once it is set aside for this visitor, in the commit of the decision.

A budget, a cap and a code are rows. Of any number of decisions at the same moment only as many get theirs as there is
room for: each row is changed on the condition that there is room, and PostgreSQL asks again after waiting for another.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.events.turns import Reservation, Turn, issue_key
from insights.models import DiscountCode, LiveClaim, LiveSpend


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
        for turn in sorted(wanted.turns, key=lambda turn: (turn.scope, turn.key)):
            if not await _take_turn(tx, project_id, turn, wanted.at):
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
