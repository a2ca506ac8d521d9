"""A line on loopback that is as long as one says, and breaks as often: between a process and its database, model or
mail provider."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
_PART = 65_536


@dataclass
class SlowLine:
    """``delay``: seconds that whatever is sent takes longer, each way there; ``resets``: the share of what is sent at
    which the connection breaks. Both can be changed while it runs. ``broken``: how many broke."""

    dial: Dial
    chance: random.Random
    delay: float = 0.0
    resets: float = 0.0
    broken: int = 0
    carried: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            far_reader, far_writer = await self.dial()
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._there(reader, far_writer, writer))
                    both.create_task(self._back(far_reader, writer))
            finally:
                far_writer.close()
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._open.discard(task)

    async def _there(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter) -> None:
        while part := await reader.read(_PART):
            self.carried += 1
            if self.resets and self.chance.random() < self.resets:
                self.broken += 1
                near.transport.abort()
                far.transport.abort()
                return
            if self.delay:
                await asyncio.sleep(self.delay)
            far.write(part)
            await far.drain()
        with contextlib.suppress(OSError):
            far.write_eof()

    async def _back(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await far.read(_PART):
            writer.write(part)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def end(self) -> None:
        """Ends whatever is still carried."""
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


@asynccontextmanager
async def slow_socket(to: Path, at: Path, chance: random.Random) -> AsyncIterator[SlowLine]:
    """A socket file ``at`` that leads to the one at ``to``."""
    line = SlowLine(lambda: asyncio.open_unix_connection(to), chance)
    server = await asyncio.start_unix_server(line.carry, at)
    try:
        yield line
    finally:
        server.close()
        await line.end()


@asynccontextmanager
async def slow_port(to: int, chance: random.Random) -> AsyncIterator[tuple[SlowLine, int]]:
    """A port that leads to another one."""
    line = SlowLine(lambda: asyncio.open_connection("127.0.0.1", to), chance)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    try:
        yield line, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await line.end()
