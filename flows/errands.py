"""What a turn has to do outside its transactions: send a committed intent, or ask whether an earlier try arrived."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import structlog

from adapters.channels.contract import Channel, NotFound, Result, SendIntent, Unknown, Unsupported
from flows.models import Delivery

log = structlog.get_logger()

Answer = Result | NotFound | Unsupported


@dataclass(frozen=True, slots=True)
class Errand:
    """A call of a channel. ``ask``: whether the intent arrived, instead of sending it."""

    delivery_id: UUID
    channel: Channel
    intent: SendIntent
    ask: bool = False


def errand_for(delivery: Delivery, channel: Channel, *, ask: bool = False) -> Errand:
    """The errand of a delivery, under its own key."""
    intent = SendIntent(key=str(delivery.id), recipient=delivery.recipient, content=delivery.content)
    return Errand(delivery.id, channel, intent, ask)


async def carry_out(errand: Errand, longest: float) -> Answer:
    """What the channel answers within ``longest`` seconds; Unknown when it does not, or fails in a way of its own."""
    channel = errand.channel
    try:
        async with asyncio.timeout(longest):
            if errand.ask:
                return await channel.lookup(errand.intent.key)
            return await channel.send(errand.intent)
    except TimeoutError:
        return Unknown("The channel did not answer in time.")
    except Exception as error:
        # Channels raise nothing for what a provider does, so this is a fault of ours: nobody knows what went out.
        log.exception("channel_failed", channel=channel.name, delivery=str(errand.delivery_id))
        return Unknown(f"The channel failed: {type(error).__name__}.")
