"""What became of messages, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Messages:
    """What became of messages. ``sent``: accepted, or nobody can say (``unknown``); ``to_visitors``: how many of these
    were for visitors, so that an order may follow, and no ticket, task or tag. The others are as providers, links and
    people told; one message may be in several."""

    sent: int = 0
    to_visitors: int = 0
    unknown: int = 0
    rejected: int = 0
    suppressed: int = 0
    under_way: int = 0
    delivered: int = 0
    bounced: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0
    converted: int = 0
    orders: int = 0
    revenue_minor: Counter[str] = field(default_factory=Counter)
    margin_minor: float | None = None


def sum_of(many: Iterable[Messages]) -> Messages:
    """All of them together."""
    total = Messages()
    for one in many:
        for name in Messages.__slots__:
            mine, theirs = getattr(total, name), getattr(one, name)
            if isinstance(theirs, Counter):
                mine.update(theirs)
            elif theirs is not None:
                setattr(total, name, (mine or 0) + theirs)
    return total
