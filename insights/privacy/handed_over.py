"""Finds where somebody's data was handed to besides the channels that the project has now.

The server's own ways out, channels that were removed since, and the language model: each is named in the report of an
erasure, with what becomes of it there. Messages and visits that are not kept any more (``retention``) say nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Delivery
from insights.models import ChannelSetup, Insight

REMOVED: Final = "This channel was removed, and its provider keeps what it carried: erase them there by hand."
SERVERS_RELAY: Final = (
    "The server's own mail relay has no call for it: its log and the mailbox of the sender may name the address."
)
TICKETS: Final = (
    "Tickets name errors and visits, and nobody: what is in the server's file of tickets cannot be told to be theirs."
)
MODEL: Final = (
    "A language model was asked about visits of theirs, without names, addresses or ids: nobody can be found there by "
    "one. How long its provider keeps questions is in your contract with it."
)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A place, named and of a kind as the report has it. ``channel_id``: of a channel that is gone.

    ``status`` and ``said`` as they stand in the report; "waiting": it is to be asked.
    """

    name: str
    kind: str
    channel_id: UUID | None
    status: str
    said: str


async def besides_channels(
    tx: AsyncSession, project_id: UUID, visitors: Collection[UUID] | None
) -> Sequence[HandedOver]:
    """In the order of their names. ``visitors`` None: of everybody in the project."""
    sent = (
        select(Delivery.channel, Delivery.channel_id)
        .outerjoin(
            ChannelSetup,
            (ChannelSetup.project_id == Delivery.project_id) & (ChannelSetup.id == Delivery.channel_id),
        )
        .where(Delivery.project_id == project_id, ChannelSetup.id.is_(None))
        .distinct()
    )
    asked = select(func.count()).where(
        Insight.project_id == project_id, or_(Insight.calls > 0, Insight.classifier.startswith("llm:"))
    )
    if visitors is not None:
        sent = sent.where(Delivery.visitor_id.in_(list(visitors)))
        asked = asked.where(Insight.visitor_id.in_(list(visitors)))
    found = [_place(word, channel_id) for word, channel_id in await tx.execute(sent)]
    if await tx.scalar(asked):
        found.append(HandedOver("language model", "model", None, "nameless", MODEL))
    return sorted(found, key=lambda place: (place.name, str(place.channel_id)))


def _place(word: str, channel_id: UUID | None) -> HandedOver:
    if channel_id is not None:
        return HandedOver(f"removed {word}", word, channel_id, "by_hand", REMOVED)
    match word:
        case "webhook":
            return HandedOver("server webhook", word, None, "waiting", "")
        case "ticket":
            return HandedOver("server ticket", word, None, "nameless", TICKETS)
        case _:
            return HandedOver(f"server {word}", word, None, "by_hand", SERVERS_RELAY)
