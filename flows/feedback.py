"""Takes in what providers report of deliveries: each report once, in whatever order they come.

What is kept does not depend on the order: a delivery's fate is the worst of what was reported, an event is kept by what
it says and when it happened, and of an opt-out and an opt-in the later one holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import ProviderEvent
from adapters.channels.spellings import spellings
from flows.models import Delivery, DeliveryEvent, HeardProviderEvent, Suppression
from flows.triggers import note

_FATES: Final = {"deferred": 1, "delivered": 2, "rejected": 3, "bounced": 4, "complained": 5}
_FATE_OF: Final = {
    "opened": "delivered",
    "clicked": "delivered",
    "unsubscribed": "delivered",
    "complained": "complained",
}
# The weightiest first.
_SUPPRESSES: Final = {
    "complained": "They marked a message as unwanted.",
    "bounced": "The address does not exist any more (reported by the provider).",
    "unsubscribed": "unsubscribed",
}
REMEMBERED: Final = timedelta(days=90)
"""So long a second copy of a report is known for one."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many reports were new, known already, and of no delivery that is stored."""

    new: int = 0
    repeated: int = 0
    stray: int = 0


async def take_in(
    tx: AsyncSession,
    project_id: UUID,
    channel_id: UUID,
    word: str,
    events: Sequence[ProviderEvent],
    now: datetime,
) -> Taken:
    """Takes in the verified reports of one of the project's channels. ``word``: what it carries (email, …)."""
    new = repeated = stray = 0
    found = [(event, await _delivery_id(tx, project_id, channel_id, event)) for event in events]
    # Always in the same order, so that two calls with the same deliveries do not wait for one another.
    for event, delivery_id in sorted(found, key=lambda pair: (str(pair[1]), pair[0].id)):
        if not await _first_time(tx, project_id, channel_id, event, now):
            repeated += 1
            continue
        new += 1
        delivery = None
        if delivery_id is not None:
            delivery = await tx.get(Delivery, (project_id, delivery_id), with_for_update=True, populate_existing=True)
        if delivery is None:
            stray += 1
        else:
            await _keep(tx, delivery, event, now)
        recipient = (event.recipient or (delivery.recipient if delivery is not None else None) or "").strip().lower()
        for spelled in spellings(recipient) if recipient else ():
            await _opt(tx, project_id, word, spelled, event)
    return Taken(new, repeated, stray)


async def forget_old_reports(tx: AsyncSession, project_id: UUID, now: datetime) -> None:
    """Forgets which reports came, once no provider brings them again. What they said stays."""
    await tx.execute(
        delete(HeardProviderEvent).where(
            HeardProviderEvent.project_id == project_id, HeardProviderEvent.received_at < now - REMEMBERED
        )
    )


def fate_after(fate: str | None, kind: str) -> str | None:
    """The fate of a delivery once an event of this kind is known too: the worst of what was reported. Pure."""
    said = kind if kind in _FATES else _FATE_OF.get(kind)
    if said is None or (fate is not None and _FATES[fate] >= _FATES[said]):
        return fate
    return said


async def _delivery_id(tx: AsyncSession, project_id: UUID, channel_id: UUID, event: ProviderEvent) -> UUID | None:
    ours = (Delivery.project_id == project_id, Delivery.channel_id == channel_id)
    if event.key:
        try:
            identifier = UUID(event.key)
        except ValueError:
            return None
        return await tx.scalar(select(Delivery.id).where(*ours, Delivery.id == identifier))
    if event.provider_id:
        return await tx.scalar(
            select(Delivery.id).where(*ours, Delivery.provider_id == event.provider_id).order_by(Delivery.id).limit(1)
        )
    return None


async def _first_time(
    tx: AsyncSession, project_id: UUID, channel_id: UUID, event: ProviderEvent, now: datetime
) -> bool:
    added = await tx.scalar(
        upsert(HeardProviderEvent)
        .values(project_id=project_id, channel_id=channel_id, event_id=event.id[:500], received_at=now)
        .on_conflict_do_nothing()
        .returning(HeardProviderEvent.event_id)
    )
    return added is not None


async def _keep(tx: AsyncSession, delivery: Delivery, event: ProviderEvent, now: datetime) -> None:
    await tx.execute(
        upsert(DeliveryEvent)
        .values(
            project_id=delivery.project_id,
            delivery_id=delivery.id,
            kind=event.kind,
            at=event.at,
            visitor_id=delivery.visitor_id,
            detail=event.detail,
            received_at=now,
        )
        .on_conflict_do_nothing()
    )
    delivery.fate = fate_after(delivery.fate, event.kind)
    delivery.provider_id = delivery.provider_id or event.provider_id
    if delivery.status == "unknown":
        # Nobody knew whether it went out; whoever carried it does.
        delivery.status = "rejected" if event.kind == "rejected" else "accepted"
        delivery.error = event.detail if event.kind == "rejected" else None
        await note(tx, delivery.project_id, delivery.run_id, now, delivery.step, "settled", f"reported as {event.kind}")
    if event.kind in ("bounced", "complained", "rejected") and delivery.status == "accepted":
        delivery.error = event.detail or _SUPPRESSES.get(event.kind)


async def _opt(tx: AsyncSession, project_id: UUID, word: str, recipient: str, event: ProviderEvent) -> None:
    of_theirs = (
        Suppression.project_id == project_id,
        Suppression.channel == word,
        Suppression.recipient == recipient,
    )
    if event.kind == "resubscribed":
        # Only their own earlier opt-out: an address that bounced does not come back to life by it.
        await tx.execute(
            delete(Suppression).where(*of_theirs, Suppression.reason == "unsubscribed", Suppression.at < event.at)
        )
        return
    reason = _SUPPRESSES.get(event.kind)
    if reason is None or (event.kind == "unsubscribed" and await _came_back(tx, project_id, word, recipient, event.at)):
        return
    added = upsert(Suppression).values(
        project_id=project_id, channel=word, recipient=recipient, reason=reason, at=event.at
    )
    # The weightier reason stays, whichever came first: only an opt-out is undone by an opt-in.
    lighter = list(_SUPPRESSES.values())[list(_SUPPRESSES.values()).index(reason) :]
    await tx.execute(
        added.on_conflict_do_update(
            index_elements=["project_id", "channel", "recipient"],
            set_={"reason": added.excluded.reason, "at": func.greatest(Suppression.at, added.excluded.at)},
            where=Suppression.reason.in_(lighter),
        )
    )


async def _came_back(tx: AsyncSession, project_id: UUID, word: str, recipient: str, at: datetime) -> bool:
    """Whether they opted in again later than ``at``: the reports came in the wrong order."""
    later = await tx.scalar(
        select(DeliveryEvent.delivery_id)
        .join(
            Delivery,
            (Delivery.project_id == DeliveryEvent.project_id) & (Delivery.id == DeliveryEvent.delivery_id),
        )
        .where(
            DeliveryEvent.project_id == project_id,
            DeliveryEvent.kind == "resubscribed",
            DeliveryEvent.at > at,
            Delivery.channel == word,
            Delivery.recipient == recipient,
        )
        .limit(1)
    )
    return later is not None
