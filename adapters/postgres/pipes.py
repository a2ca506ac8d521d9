"""A few pipes side by side, so that one project's transaction need not wait for another's.

While the server is away whoever asks is told so at once, and one pipe goes on trying behind their backs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog

from adapters.postgres.engine import DatabaseUrls
from adapters.postgres.exchange import Statement
from adapters.postgres.pipe import Pipe, PipeBroken, ServerAway, StatementRefused

log = structlog.get_logger()

LOOK_EVERY: Final = 0.05
"""Seconds between two tries while the server is away."""

_NOBODY: Final = UUID(int=0)

T = TypeVar("T")


class Pipes:
    """At most ``most`` connections, each made when all others are taken. Who comes when all are waits for a turn."""

    def __init__(self, urls: DatabaseUrls, most: int) -> None:
        self._all = [Pipe(urls) for _ in range(most)]
        self._idle = list(self._all)
        self._turns = asyncio.Semaphore(most)
        self._looking: asyncio.Task[None] | None = None
        self._gone: asyncio.Future[None] | None = None

    @property
    def away(self) -> bool:
        """Whether the server could not be reached when it was last tried."""
        return self._looking is not None and not self._looking.done()

    async def run(self, project_id: UUID, statements: Sequence[Statement]) -> list[tuple[Any, ...] | None]:
        """What ``Pipe.run`` does, over one that is free. Raises what it raises, ServerAway at once while it is away."""
        async with self._turns:
            if self.away:
                raise ServerAway("still away")
            pipe = self._next()
            self._idle.remove(pipe)
            try:
                return await self._run(pipe, project_id, statements)
            except ServerAway as error:
                self._look(error)
                raise
            except PipeBroken:
                # What cut this one off has most likely cut off those that nobody has used since.
                await asyncio.gather(*(idle.drop() for idle in self._idle))
                raise
            finally:
                self._idle.append(pipe)

    async def while_there(self, work: Awaitable[T]) -> T:
        """What ``work`` returns, which asks the server in another way: that may wait for seconds for one that starts.
        Raises ServerAway, and cancels ``work``, once the server turns out to be away."""
        task = asyncio.ensure_future(work)
        try:
            if self.away:
                raise ServerAway("still away")
            if self._gone is None:
                self._gone = asyncio.get_running_loop().create_future()
            await asyncio.wait((task, self._gone), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ServerAway("gone meanwhile")
            return task.result()
        finally:
            task.cancel()

    async def _run(self, pipe: Pipe, project_id: UUID, statements: Sequence[Statement]) -> list[tuple[Any, ...] | None]:
        try:
            return await pipe.run(project_id, statements)
        except ServerAway:
            other = next((pipe for pipe in self._all if pipe.connected), None)
            if other is None:
                raise
            # The server has no room for one more, or is slow to make it: those that there are take turns.
            return await other.run(project_id, statements)

    def _next(self) -> Pipe:
        """Of those that are free the one that was used last: as few as are needed are kept, and those are warm."""
        return next((pipe for pipe in reversed(self._idle) if pipe.connected), self._idle[-1])

    async def close(self) -> None:
        """Closes all connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.gather(*(pipe.close() for pipe in self._all))

    def _look(self, error: ServerAway) -> None:
        if not self.away:
            log.warning("database_away", error=str(error))
            if self._gone is not None:
                self._gone.set_result(None)
                self._gone = None
            self._looking = asyncio.create_task(self._until_back(), name="pipes look for the server")

    async def _until_back(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with contextlib.suppress(PipeBroken, StatementRefused):
                await self._all[0].run(_NOBODY, [])
                break
        log.info("database_back", seconds=round(time.monotonic() - began, 1))
