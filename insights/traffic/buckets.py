"""Decides whether a holder (an address, a key) may have another request now, by a token bucket each.

One number a holder: the time at which its bucket would be full again (the generic cell rate algorithm, ITU-T I.371).
"""

from __future__ import annotations

import time
from collections.abc import Callable

_SLACK = 1e-6
"""Seconds: sums of fractions are not exact."""


class Buckets:
    """Buckets of one size. In the memory of one process; holders who were not seen for long are forgotten."""

    def __init__(
        self, rate: float, burst: float, *, most: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``rate``: requests a second for good, 0 for no limit; ``burst``: so many seconds' worth may come at once.

        ``most``: holders remembered at least, twice as many at most.
        """
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._burst = max(burst, self._interval)
        self._most = most
        self._clock = clock
        self._recent: dict[str, float] = {}
        self._before: dict[str, float] = {}

    def take(self, holder: str, cost: float = 1.0, *, counts: bool = True) -> float:
        """0.0 when the holder may go on; else the seconds after which it may, and nothing was taken.

        ``counts``: False takes nothing in either case: it only asks.
        """
        if not self._interval:
            return 0.0
        now = self._clock()
        full_at = self._recent.get(holder)
        if full_at is None:
            full_at = self._before.get(holder, now)
        full_at = (full_at if full_at > now else now) + cost * self._interval
        over = full_at - now - self._burst
        if over > _SLACK:
            # Remembered among the recent ones all the same: who floods is not forgotten by flooding.
            self._remember(holder, full_at - cost * self._interval)
            return over
        if counts:
            self._remember(holder, full_at)
        return 0.0

    def charge(self, holder: str, cost: float) -> None:
        """Takes what was not asked for, into debt if need be: at most as much again as a bucket holds."""
        if self._interval:
            now = self._clock()
            full_at = max(self._recent.get(holder) or self._before.get(holder, now), now)
            self._remember(holder, min(full_at + cost * self._interval, now + 2 * self._burst))

    def _remember(self, holder: str, full_at: float) -> None:
        self._recent[holder] = full_at
        if len(self._recent) > self._most:
            # Two generations instead of an order of use: forgetting costs nothing a request.
            self._before, self._recent = self._recent, {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._before)
