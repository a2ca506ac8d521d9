"""The live tail: sessions that match the filters, sent to the list as they come and change.

It looks every two seconds and sends rows as the list draws them. It is bounded: it closes itself after a few minutes,
a process holds only so many, and a login that ended ends it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

LASTS: Final = timedelta(minutes=5)
EVERY: Final = timedelta(seconds=2)
MOST_AT_ONCE: Final = 20
MOST_OF_ONE: Final = 8
"""Of one project: nobody follows so many lists that none is left for the others."""
MOST_ROWS: Final = 25
"""A look shows at most so many; the newest ones."""

Look = Callable[[datetime], Awaitable[list[str] | None]]
"""Rows that changed since a time, as HTML, the newest last; None once whoever looks may look no more."""


class Tails:
    """The tails that one process holds open."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        lasts: timedelta = LASTS,
        every: timedelta = EVERY,
        most: int = MOST_AT_ONCE,
    ) -> None:
        self._clock = clock
        self._lasts = lasts
        self._every = every
        self._most = most
        self._open: Counter[UUID] = Counter()

    def full(self, project_id: UUID) -> bool:
        """Whether there is no room for another one of this project."""
        return self._open.total() >= self._most or self._open[project_id] >= MOST_OF_ONE

    async def follow(self, project_id: UUID, look: Look, since: datetime) -> AsyncIterator[str]:
        """Server-sent events: ``row`` for each row, ``over`` (with why) at the end."""
        self._open[project_id] += 1
        try:
            yield ": following\n\n"
            for _ in range(max(1, round(self._lasts / self._every))):
                # What is being committed while it looks may carry an earlier time: the next look goes back a little.
                until = self._clock() - self._every
                rows = await look(since)
                if rows is None:
                    yield _event("over", "login")
                    return
                for row in rows[-MOST_ROWS:]:
                    yield _event("row", row)
                # Without anything to say, a comment finds out whether somebody still listens.
                yield ": \n\n"
                since = max(since, until)
                await asyncio.sleep(self._every.total_seconds())
            yield _event("over", "time")
        finally:
            self._open[project_id] -= 1
            if not self._open[project_id]:
                del self._open[project_id]


def _event(name: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\n{lines}\n"
