"""Clues: weighted observations, each naming the events that show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from insights.timeline.timeline import TimelineEvent
from insights.vocabulary.reasons import Reason


@dataclass(frozen=True, slots=True)
class Clue:
    """One observation. ``weight`` is how far it alone goes towards certainty (0..1); ``words`` complete "They …"."""

    weight: float
    words: str
    events: tuple[TimelineEvent, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that speaks for one reason."""

    reason: Reason
    clues: tuple[Clue, ...]

    @property
    def strength(self) -> float:
        """1 − ∏(1 − weight): clues add up, and never past 1 (noisy-or)."""
        doubt = 1.0
        for clue in self.clues:
            doubt *= 1.0 - clue.weight
        return 1.0 - doubt


def case(reason: Reason, clues: Iterable[Clue | None]) -> Case:
    """A case from the clues that hold."""
    return Case(reason, tuple(clue for clue in clues if clue is not None))


def clue(
    events: list[TimelineEvent], weight: float, words: str, *, at_least: int = 1, more: float = 0.0, most: float = 0.9
) -> Clue | None:
    """A clue if ``at_least`` events show it; each further one adds ``more`` to the weight, up to ``most``.

    In ``words``, {n} is how many there are and {s} the plural's s.
    """
    if len(events) < at_least:
        return None
    total = min(most, weight + more * (len(events) - at_least))
    return Clue(total, words.format(n=len(events), s="" if len(events) == 1 else "s"), tuple(events))
