"""Decides how many requests of one holder are worked on at once: the others wait in line, up to a bound.

So a key that asks for twenty reports at a time cannot take every connection of the database from the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from insights.errors import TooMany


class _Table:
    __slots__ = ("taken", "waiting")

    def __init__(self) -> None:
        self.taken = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Seats:
    """``each``: requests of one holder at once, 0 for no limit; ``line``: how many more may wait."""

    def __init__(self, each: int, line: int = 64) -> None:
        self._each = each
        self._line = line
        self._tables: dict[str, _Table] = {}

    @asynccontextmanager
    async def seat(self, holder: str) -> AsyncIterator[None]:
        """Within the block the holder has a seat. Raises TooMany when its line is full."""
        if not self._each:
            yield
            return
        table = self._tables.setdefault(holder, _Table())
        if table.taken < self._each:
            table.taken += 1
        else:
            await self._wait(table)
        try:
            yield
        finally:
            self._leave(holder, table)

    async def _wait(self, table: _Table) -> None:
        if len(table.waiting) >= self._line:
            raise TooMany(
                f"{self._each} requests of this key are being worked on and {self._line} wait. Send fewer at a time.",
                retry_after=1,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        table.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # The seat was handed over in the very moment in which its heir gave up: it goes to the next.
                self._hand_over(table)
            raise

    def _leave(self, holder: str, table: _Table) -> None:
        self._hand_over(table)
        if not table.taken and self._tables.get(holder) is table:
            del self._tables[holder]

    @staticmethod
    def _hand_over(table: _Table) -> None:
        while table.waiting:
            turn = table.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        table.taken -= 1

    def __len__(self) -> int:
        return len(self._tables)
