"""Hears what other processes say: every notification of a channel, and that some may have been missed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql

from adapters.postgres.engine import DatabaseUrls, connect_options, conninfo

log = structlog.get_logger()

RECONNECT_SECONDS = 2.0


class News:
    """Calls ``heard`` with the text of each notification; with None when it begins to listen, also after a break.

    Through a pooler nobody can listen: then the owner's URL is used, which leads past it.
    """

    def __init__(self, urls: DatabaseUrls, channel: str, heard: Callable[[str | None], None]) -> None:
        self._urls = urls
        self._channel = channel
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listens in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name=f"news {self._channel}")

    async def stop(self) -> None:
        """Listens no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
                    self._heard(None)
                    async for notification in connection.notifies():
                        self._heard(notification.payload)
            except (psycopg.Error, OSError) as error:
                log.info("listening_interrupted", channel=self._channel, error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _connect(self) -> psycopg.AsyncConnection:
        if self._urls.pooled:
            return await psycopg.AsyncConnection.connect(conninfo(self._urls.owner), autocommit=True, connect_timeout=5)
        return await psycopg.AsyncConnection.connect(
            conninfo(self._urls.app), autocommit=True, **connect_options(self._urls)
        )
