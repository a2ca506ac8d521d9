"""Tells flows whose messages are held back: those of the people who get nothing in the shop either."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import NOBODY
from insights.decisions.plan import Plan
from insights.identity.together import person_id_of
from insights.models import Shop
from insights.vocabulary.actions import TO_VISITORS


class PeopleHeldOut:
    """The one holdout, by the same key and for the same person as on site."""

    async def holds_back(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID, action: str) -> bool:
        """Whether the visitor's person is held out and ``action`` is one that reaches visitors. What a flow does for
        the shop itself is nobody's."""
        if visitor_id == NOBODY or not self.is_of(action):
            return False
        shop = (await tx.execute(select(Shop.salt, Shop.holdout).where(Shop.project_id == project_id))).one_or_none()
        if shop is None or shop.holdout <= 0:
            return False
        plan = Plan(salt=shop.salt.bytes, holdout=shop.holdout)
        return plan.holds_out(await person_id_of(tx, project_id, visitor_id))

    def is_of(self, action: str) -> bool:
        """Whether ``action`` reaches visitors."""
        return action in TO_VISITORS
