"""A circuit breaker: a provider that keeps failing is left alone for a while, so that nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Opens after ``failures`` in a row; lets one call through again after ``rest`` seconds."""

    def __init__(self, *, failures: int = 5, rest: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._rest = rest
        self._clock = clock
        self._in_a_row = 0
        self._closed_until = 0.0

    def allows(self) -> bool:
        """Whether a call may be made now. A yes after a rest counts as the trial: others wait for its outcome."""
        if self._in_a_row < self._limit:
            return True
        if self._clock() < self._closed_until:
            return False
        self._closed_until = self._clock() + self._rest
        return True

    def succeeded(self) -> None:
        """The provider answered."""
        self._in_a_row = 0

    def failed(self) -> None:
        """The provider did not answer, or not usably."""
        self._in_a_row += 1
        self._closed_until = self._clock() + self._rest
