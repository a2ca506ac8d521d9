"""Decides whether a share differs between two times. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from insights.reports.mix import wilson


@dataclass(frozen=True, slots=True)
class Difference:
    """Shares of 0..1 before and after, and after less before with its 95 % interval."""

    before: float
    after: float
    value: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether chance alone does not explain it, at 95 %."""
        return self.low > 0 or self.high < 0


def difference(hits_before: int, before: int, hits_after: int, after: int) -> Difference | None:
    """Newcombe's hybrid score interval (1998, method 10); None where one of the times has no session."""
    if not before or not after:
        return None
    first, second = hits_before / before, hits_after / after
    first_low, first_high = wilson(first, before)
    second_low, second_high = wilson(second, after)
    value = second - first
    low = value - sqrt((second - second_low) ** 2 + (first_high - first) ** 2)
    high = value + sqrt((second_high - second) ** 2 + (first - first_low) ** 2)
    return Difference(first, second, value, low, high)
