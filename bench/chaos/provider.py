"""A webhook receiver as providers are: it honours keys, takes its time, and now and then hangs up on who called."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Receiver:
    """Does each ``webhook-id`` once. ``done``: how often it did something for a run; ``active``: calls under way."""

    def __init__(self, seconds: float, drops: float, chance: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.calls = 0
        self.dropped = 0
        self.active = 0
        self.url = ""
        self._seen: set[str] = set()
        self._seconds = seconds
        self.drops = drops
        self._chance = chance

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller was killed
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.calls += 1
        self.active += 1
        try:
            await asyncio.sleep(self._seconds / 2)
            if headers["webhook-id"] not in self._seen:
                self._seen.add(headers["webhook-id"])
                self.done[json.loads(body)["data"]["run_id"]] += 1
            await asyncio.sleep(self._seconds / 2)
        finally:
            self.active -= 1
        if self._chance.random() < self.drops:
            self.dropped += 1
            return False
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def receiver(seconds: float, drops: float, chance: random.Random) -> AsyncIterator[Receiver]:
    """A receiver on a free port that answers after ``seconds``, and a share ``drops`` of its callers never."""
    state = Receiver(seconds, drops, chance)
    server = await asyncio.start_server(state._serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield state
    finally:
        server.close()
