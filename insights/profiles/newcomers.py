"""Decides whether a batch is the first that was ever sent of its visitor, by what the ids in it tell."""

from __future__ import annotations

from typing import Final

from insights.events.wire import Batch
from insights.vocabulary.ids import is_uuid7, uuid7_ms

TOGETHER_MS: Final = 1_000
"""A browser that was never here makes both ids in one go; a session of somebody it knows is younger than they are."""
AT_ONCE_MS: Final = 10_000
"""Its first event is of the same moment. Who opens another tab later counts from nought there as well."""


def just_came(batch: Batch) -> bool:
    """Whether nothing can be stored of ``batch``'s visitor yet; its events, at least one, stand in order.

    As a browser tells it, which may be wrong or send the same once more. Whoever goes by it must have it compared with
    what is stored, as each commit does (``events/claims``).
    """
    visitor, first = batch.visitor, batch.events[0]
    if first.seq or not is_uuid7(visitor):
        return False
    made = uuid7_ms(visitor)
    return abs(uuid7_ms(batch.session) - made) <= TOGETHER_MS and abs(first.t - made) <= AT_ONCE_MS
