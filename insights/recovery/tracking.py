"""Writes down that a message was opened, or a link in it clicked; and finds the cart that a link leads back to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Delivery, DeliveryEvent, FlowRun
from insights.recovery.links import Target

_KIND = {"click": "clicked", "open": "opened"}


async def note_visit(tx: AsyncSession, target: Target, now: datetime) -> bool:
    """Notes a click or an opening on the delivery that it belongs to: once a minute, so that a program that looks at
    everything at once counts once. False where there is no such delivery: a test, or one that was erased."""
    found = (
        await tx.execute(
            select(Delivery.id, Delivery.visitor_id)
            .where(
                Delivery.project_id == target.project_id,
                Delivery.run_id == target.run_id,
                Delivery.step == target.step,
                Delivery.created_at <= now,
            )
            .order_by(Delivery.created_at.desc())
            .limit(1)
        )
    ).one_or_none()
    if found is None:
        return False
    await tx.execute(
        insert(DeliveryEvent)
        .values(
            project_id=target.project_id,
            delivery_id=found.id,
            kind=_KIND[target.kind],
            at=now.replace(second=0, microsecond=0),
            visitor_id=found.visitor_id,
            detail=target.url[:2000] or None,
            received_at=now,
        )
        .on_conflict_do_nothing()
    )
    return True


async def cart_of_run(tx: AsyncSession, project_id: UUID, run_id: UUID) -> Mapping[str, Any] | None:
    """The cart as it was left in the visit that started a run; None where there is none."""
    facts = await tx.scalar(select(FlowRun.facts).where(FlowRun.project_id == project_id, FlowRun.id == run_id))
    cart = facts.get("cart") if isinstance(facts, dict) else None
    return cart if isinstance(cart, dict) and cart.get("items") else None
