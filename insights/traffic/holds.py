"""Decides how long who is turned away waits to be told so: a loop that asks again at once is slowed to a trickle.

The more of them wait, the longer each does; who comes back sooner than told waits twice as long as the last time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

HOLD_SECONDS: Final = 0.3
"""How long who is turned away waits for it, more or less, while few are: those who are turned away together must not
come back together, or everybody else waits for all of them at once."""

LONGEST_HOLD_SECONDS: Final = 5.0

LONGEST_WHO_WILL_NOT_HEAR_SECONDS: Final = 30.0
"""For who never waits as told. Balancers give up an answer after a minute."""

TURNED_AWAY_A_SECOND: Final = 200
"""How many are told that they are turned away, however many more ask: the more of them wait, the longer each does. A
crowd would otherwise take all of a process just by being refused."""

MOST_HELD: Final = 10_000
"""As many as there may be connections: one that waits costs little more memory than its connection does."""

NEARLY: Final = 0.9
"""Of the time that was told: clocks differ."""


@dataclass(slots=True)
class Heed:
    """How far who is at the other end of one connection waits as told. ``early``: how often in a row they did not."""

    not_before: float = 0.0
    early: int = 0

    def came(self, now: float) -> int:
        """They came, and are to be turned away: how often in a row they came too early by now."""
        self.early = self.early + 1 if now < self.not_before else 0
        return self.early

    def told(self, now: float, retry_after: float) -> None:
        """They were told to come again after so many seconds."""
        self.not_before = now + NEARLY * retry_after


class Holds:
    """Those who wait to be told that they were turned away, in one process."""

    def __init__(self) -> None:
        self.held = 0

    def begin(self, early: int = 0) -> float:
        """Seconds for which one more is held, until ``end``. ``early``: how often they came back too soon.

        0.0 past ``MOST_HELD``: waiting costs memory.
        """
        self.held += 1
        if self.held > MOST_HELD:
            return 0.0
        return hold_of(self.held, early) * random.uniform(0.5, 1.5)  # noqa: S311  no secret

    def end(self) -> None:
        """One of them is told, or gone."""
        self.held -= 1


def hold_of(held: int, early: int = 0) -> float:
    """Seconds, more or less, that one of so many who are turned away waits to be told."""
    usual = min(max(HOLD_SECONDS, held / TURNED_AWAY_A_SECOND), LONGEST_HOLD_SECONDS)
    # The exponent is bounded: nobody's patience is a number of any length.
    return min(usual * 2.0 ** min(early, 10), LONGEST_WHO_WILL_NOT_HEAR_SECONDS)
