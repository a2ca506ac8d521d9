"""The live tail: sessions that match the filters, sent to the list as they come and change.

It looks every two seconds and sends rows as the list draws them. Those who follow the same list share a look. It is
bounded: it closes itself after a few minutes, a process holds only so many, and a login that ended ends it. A browser
whose connection broke goes on where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

LASTS: Final = timedelta(minutes=5)
EVERY: Final = timedelta(seconds=2)
MOST_AT_ONCE: Final = 100
MOST_OF_ONE: Final = 50
"""Of one project: nobody follows so many lists that none is left for the others."""
ASKED_AGAIN: Final = 3
"""So many looks, and whoever follows is asked for their login again."""
MOST_ROWS: Final = 25
"""A look shows at most so many; the newest ones."""

Read = Callable[[datetime], Awaitable[Sequence[str]]]
"""Rows that changed since a time, as HTML, the newest last."""
Look = Callable[[datetime], Awaitable[Sequence[str] | None]]
"""The same for one who follows; None once they may look no more."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A look at what changed ``since`` a time, begun ``at`` seconds of the timer."""

    at: float
    since: datetime
    rows: asyncio.Future[Sequence[str]]


class SharedLooks:
    """What one who follows a list has just looked at is good for the others who follow the same."""

    def __init__(self, timer: Callable[[], float] = time.monotonic, *, every: timedelta = EVERY) -> None:
        self._timer = timer
        self._every = every.total_seconds()
        self._taken: dict[Hashable, _Taken] = {}

    async def of(self, what: Hashable, since: datetime, read: Read) -> Sequence[str]:
        """The rows of the list ``what`` that changed after ``since``, as of ``EVERY`` ago at most; ``read`` looks."""
        now = self._timer()
        known = self._taken.get(what)
        # Whoever follows goes back that long with each look, so nothing falls between an older one and their next.
        if known is None or known.since > since or now - known.at >= self._every:
            self._taken = {key: one for key, one in self._taken.items() if now - one.at < self._every}
            known = self._taken[what] = _Taken(now, since, asyncio.ensure_future(read(since)))
        return await asyncio.shield(known.rows)


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
        """Server-sent events: ``row`` for each row, ``over`` (with why) at the end. Their id is the time up to which
        everything was sent: who comes back with it (``resumed``) misses nothing."""
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
                    yield _event("row", row, since)
                # Without anything to say, a comment finds out whether somebody still listens.
                yield ": \n\n"
                since = max(since, until)
                await asyncio.sleep(self._every.total_seconds())
            yield _event("over", "time")
        finally:
            self._open[project_id] -= 1
            if not self._open[project_id]:
                del self._open[project_id]


def resumed(last_event_id: str, now: datetime) -> datetime:
    """Since when to look for a browser that sends the id of its last event; from now on for any other."""
    try:
        at = datetime.fromisoformat(last_event_id)
    except ValueError:
        return now
    return min(now, max(at, now - LASTS)) if at.tzinfo is not None else now


def _event(name: str, data: str, at: datetime | None = None) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    mark = "" if at is None else f"id: {at.isoformat()}\n"
    return f"event: {name}\n{mark}{lines}\n"
