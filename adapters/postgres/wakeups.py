"""Waits for work: woken by NOTIFY, and by a timer in case a notification was lost with its connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import structlog
from psycopg import sql

from adapters.postgres.engine import DatabaseUrls, connect_options, conninfo

log = structlog.get_logger()

RECONNECT_SECONDS = 2.0


class Wakeups:
    """``wait`` returns when ``channel`` was notified or ``every`` seconds have passed, whichever is first."""

    def __init__(self, urls: DatabaseUrls, channel: str, *, every: float = 1.0) -> None:
        self._urls = urls
        self._channel = channel
        self._every = every
        self._woken = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Wakeups]:
        """Listens in the background for as long as the context lasts; a lost connection is made again."""
        task = asyncio.create_task(self._listen(), name=f"listen {self._channel}")
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def ring(self) -> None:
        """Says from within this process that there may be work."""
        self._woken.set()

    async def wait(self, stop: asyncio.Event, *, at_most: float | None = None) -> None:
        """Returns when there may be work, or when ``stop`` is set. ``at_most``: seconds, where less than ``every``."""
        pause = self._every if at_most is None else min(self._every, at_most)
        waiters = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waiters, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
        self._woken.clear()

    async def _listen(self) -> None:
        if self._urls.pooled:
            return  # a pooler gives the connection that listens to somebody else: the timer alone wakes
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    conninfo(self._urls.app), autocommit=True, **connect_options(self._urls)
                ) as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
                    self._woken.set()
                    async for _ in connection.notifies():
                        self._woken.set()
            except (psycopg.Error, OSError) as error:
                log.info("listening_interrupted", channel=self._channel, error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)
