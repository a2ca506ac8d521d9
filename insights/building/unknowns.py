"""Settles by hand what nobody could say of: whether a message arrived."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Delivery
from flows.triggers import note
from insights.errors import Conflict, NotFound


async def settle(
    tx: AsyncSession, project_id: UUID, delivery_id: UUID, *, arrived: bool, by: str, now: datetime
) -> Delivery:
    """An unknown delivery counts as accepted, or as rejected, from now on; it is not sent again either way. Raises
    NotFound; Conflict for one that is settled the other way, or still under way."""
    delivery = await tx.get(Delivery, (project_id, delivery_id), with_for_update=True)
    if delivery is None:
        raise NotFound(f"There is no delivery {delivery_id} in this project. GET /v1/deliveries lists them.")
    wanted = "accepted" if arrived else "rejected"
    if delivery.status == wanted:
        return delivery
    if delivery.status != "unknown":
        raise Conflict(f"This delivery is {delivery.status}: only one that is unknown can be settled by hand.")
    word = "arrived" if arrived else "not arrived"
    delivery.status, delivery.decided_at = wanted, now
    delivery.error = None if arrived else f"Settled by hand: {word}."
    await note(tx, project_id, delivery.run_id, now, delivery.step, "settled", f"{word}, says {by}")
    await tx.flush()
    return delivery
