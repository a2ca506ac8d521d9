"""Decides how long and how many connections a listener puts up with: requests that drip are cut, crowds are bounded.

A server that waits for ever for the end of a request can be filled by anybody who never sends it; so can one that waits
until its answer is taken.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Final, Protocol

import structlog

from insights.traffic.addresses import truncated
from insights.traffic.limits import ConnectionLimits

log = structlog.get_logger()

_LOOKED_AT_ONCE: Final = 100
_BETWEEN_LOOKS: Final = 0.01
"""Seconds between a hundred of a listener's connections and the next."""

_LET_GO_AT_ONCE: Final = 10
_BETWEEN_GOING: Final = 0.002
"""Seconds between ten that have hung up and the next. To let one go takes a request's tenth: of a crowd that leaves
together everybody else would wait for all."""


class Member(Protocol):
    """A connection, as far as its listener looks at it. ``since``: when it began to wait for a request's rest."""

    since: float | None
    client: tuple[str, int] | None
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport

    def is_stuck(self, now: float, seconds: float) -> bool:
        """Whether its other end has taken next to nothing of an answer for so long."""

    def cut(self) -> None:
        """Ends it, since its request does not."""


class Crowd:
    """The connections of one listener. About once a second it cuts those that take too long over a request."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self.seconds = limits.seconds
        self.holds = limits.holds
        self._open: set[Member] = set()
        self._by_holder: Counter[str] = Counter()
        self._looking: asyncio.TimerHandle | None = None
        self._going: deque[Member] = deque()
        self.refused = 0
        self.cut = 0

    def enter(self, connection: Member) -> bool:
        """Counts a connection; False when there are too many of them."""
        limits, holder = self._limits, self._holder(connection)
        if (limits.all and len(self._open) >= limits.all) or (
            limits.each and holder is not None and self._by_holder[holder] >= limits.each
        ):
            self.refused += 1
            if self.refused & (self.refused - 1) == 0:
                network = truncated(connection.client[0]) if connection.client else ""
                log.warning("connections_refused", count=self.refused, network=network)
            return False
        self._open.add(connection)
        if holder is not None:
            self._by_holder[holder] += 1
        if self._looking is None and limits.seconds:
            self._begin_looking(connection.loop)
        return True

    def leave(self, connection: Member) -> None:
        """Forgets a connection that was counted."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        if (holder := self._holder(connection)) is not None:
            self._by_holder[holder] -= 1
            if not self._by_holder[holder]:
                del self._by_holder[holder]

    def hung_up(self, connection: Member) -> None:
        """Closes a connection whose other end is gone: at once, or after those that are to be closed already."""
        self._going.append(connection)
        if len(self._going) == 1:
            connection.loop.call_soon(self._let_go, connection.loop)

    def _let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(_LET_GO_AT_ONCE, len(self._going))):
            self._going.popleft().transport.close()
        if self._going:
            loop.call_later(_BETWEEN_GOING, self._let_go, loop)

    def _holder(self, connection: Member) -> str | None:
        return self._limits.clients.holder(connection.client[0] if connection.client else "")

    def _look(self, loop: asyncio.AbstractEventLoop, left: list[Member]) -> None:
        # A look a second at all of them costs next to nothing a request; a timer for each request would cost more.
        # Requests come in between: thousands in one go would make them wait.
        now, seconds = loop.time(), self._limits.seconds
        for connection in left[-_LOOKED_AT_ONCE:]:
            if connection not in self._open:
                continue
            if connection.since is not None and connection.since < now - seconds:
                self.cut += 1
                connection.cut()
            elif connection.is_stuck(now, seconds):
                self.cut += 1
                connection.transport.abort()
        del left[-_LOOKED_AT_ONCE:]
        if left:
            self._looking = loop.call_later(_BETWEEN_LOOKS, self._look, loop, left)
        else:
            self._begin_looking(loop)

    def _begin_looking(self, loop: asyncio.AbstractEventLoop) -> None:
        def begin() -> None:
            self._look(loop, list(self._open))

        self._looking = loop.call_later(1.0, begin) if self._open else None
