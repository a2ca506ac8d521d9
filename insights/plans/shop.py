"""What a shop says of itself: read it, change it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.decisions.content import ShopFacts
from insights.errors import Changed, Refused
from insights.models import PolicyBucket, Reward, Shop

UNIT: Final = ("margin_rate", "currency")
"""What rewards are counted in depends on these."""


def facts_of(shop: Shop) -> ShopFacts:
    """What decisions may say and reckon with."""
    return ShopFacts(
        contact_href=shop.contact_href,
        free_shipping_from_minor=shop.free_shipping_from_minor,
        currency=shop.currency or "",
        margin_rate=shop.margin_rate,
        shipping_cost_minor=shop.shipping_cost_minor,
    )


async def stored_shop(tx: AsyncSession, project_id: UUID) -> Shop | None:
    """The shop's row, if there is one."""
    return await tx.scalar(select(Shop).where(Shop.project_id == project_id))


async def shop_of(tx: AsyncSession, project_id: UUID) -> Shop:
    """The shop's row; made, with a salt of its own, when there is none yet."""
    await tx.execute(insert(Shop).values(project_id=project_id).on_conflict_do_nothing())
    return (await tx.scalars(select(Shop).where(Shop.project_id == project_id))).one()


async def change_shop(
    tx: AsyncSession, project_id: UUID, values: Mapping[str, object], now: datetime, version: int | None = None
) -> Shop:
    """Changes what ``values`` name. ``version``: only if it is still that one, else Changed.

    A margin or a free-delivery threshold needs a currency: Refused without. When the unit of the rewards changes, all
    of them are worked out again by the next round of learning.
    """
    shop = await shop_of(tx, project_id)
    shop = (await tx.scalars(select(Shop).where(Shop.project_id == project_id).with_for_update())).one()
    if version is not None and version != shop.version:
        raise Changed(f"The shop is at version {shop.version}. Read it again and repeat your change.")
    unit = tuple(getattr(shop, name) for name in UNIT)
    if values.get("holdout", shop.holdout) != shop.holdout:
        # The same people are held out whenever the share is as great again, however long nobody was.
        shop.holdout_since, shop.holdout_before = now, max(shop.holdout, shop.holdout_before or 0.0)
    for name, value in values.items():
        setattr(shop, name, value)
    for name in ("margin_rate", "shipping_cost_minor", "free_shipping_from_minor"):
        if getattr(shop, name) is not None and not shop.currency:
            raise Refused(f"currency: must be given with {name}, as three letters.", field="currency")
    shop.version += 1
    shop.updated_at = now
    if unit != tuple(getattr(shop, name) for name in UNIT):
        shop.learned_through = None
        await tx.execute(update(PolicyBucket).where(PolicyBucket.project_id == project_id).values(sums=None))
        await tx.execute(update(Reward).where(Reward.project_id == project_id).values(counted_at=now))
    await tx.flush()
    return shop
