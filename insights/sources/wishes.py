"""Keeps what customers chose at their shop's system: who left gets nothing until they come back there."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.spellings import spellings
from flows.models import Suppression
from insights.events.dialects.shopify_consent import Wish

LEFT: Final = "unsubscribed at Shopify"


async def keep_wish(tx: AsyncSession, project_id: UUID, wish: Wish) -> None:
    """Of two wishes the later said one counts, where it was to leave. Coming back undoes leaving there, and no bounce
    or complaint."""
    spelled = spellings(wish.recipient)
    if wish.wants:
        await tx.execute(
            delete(Suppression).where(
                Suppression.project_id == project_id,
                Suppression.channel == wish.channel,
                Suppression.recipient.in_(spelled),
                Suppression.reason == LEFT,
                Suppression.at < wish.at,
            )
        )
        return
    for recipient in spelled:
        added = upsert(Suppression).values(
            project_id=project_id, channel=wish.channel, recipient=recipient, reason=LEFT, at=wish.at
        )
        await tx.execute(
            added.on_conflict_do_update(
                index_elements=["project_id", "channel", "recipient"],
                set_={"at": func.greatest(Suppression.at, added.excluded.at)},
                where=Suppression.reason == LEFT,
            )
        )
