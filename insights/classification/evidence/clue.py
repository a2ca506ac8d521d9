"""One sign that a reason holds: how much it says alone, in words, and the events that show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from insights.timeline.timeline import TimelineEvent


@dataclass(frozen=True, slots=True)
class Clue:
    """``weight`` is 0..1. ``said`` holds no text of the visitor's or the page's, except a templated path."""

    weight: float
    said: str
    events: tuple[UUID, ...]


def clue(weight: float, said: str, events: Iterable[TimelineEvent]) -> Clue:
    """A clue that names ``events``."""
    return Clue(weight, said, tuple(event.id for event in events))


def times(what: str, events: Sequence[TimelineEvent]) -> str:
    """``what``, and how often where that was more than once."""
    return what if len(events) == 1 else f"{what} {len(events)} times"


def combined(clues: Iterable[Clue]) -> float:
    """Noisy-or of the weights: each clue explains a share of what the others left open."""
    open_share = 1.0
    for item in clues:
        open_share *= 1.0 - item.weight
    return 1.0 - open_share


def by_count(count: int, weights: Sequence[float]) -> float:
    """The weight for seeing something ``count`` times: the n-th of ``weights``, the last for any more; 0 for none."""
    return weights[min(count, len(weights)) - 1] if count > 0 else 0.0
