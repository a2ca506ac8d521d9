"""Which of a project's channels carries a message. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.channels.contract import Channel
from flows.models import Delivery


def chosen(channels: Mapping[str, Channel], word: str, named: object) -> Channel | None:
    """The channel that is ``named``, or the one that carries the word; None when there is none."""
    found = channels.get(str(named)) if named else channels.get(word)
    return found if found is not None and found.name == word else None


def carrier(channels: Mapping[str, Channel], delivery: Delivery) -> Channel | None:
    """The channel that carries on with a delivery: the very one that had it.

    Only what certainly did not go out may change over to another provider, which would take a repeat for news.
    """
    same = next((c for c in channels.values() if c.id == delivery.channel_id and c.name == delivery.channel), None)
    return channels.get(delivery.channel) if same is None and delivery.status == "retry" else same
