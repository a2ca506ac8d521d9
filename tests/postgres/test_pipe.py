"""A pipe whose server goes away and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.engine import DatabaseUrls, conninfo
from adapters.postgres.pipe import Pipe, PipeBroken

ASK = ("SELECT 1", {})


class Door:
    """Stands before a server. ``open``: passes everything on; else it takes connections and says nothing."""

    def __init__(self) -> None:
        self.open = True
        self.url = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, socket: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if not self.open:
            await reader.read()
            return
        inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
        self._writers.append(inner_writer)
        await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))

    def slam(self) -> None:
        """Cuts every connection and takes new ones without a word."""
        self.open = False
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers = []


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def door(database_urls: DatabaseUrls) -> AsyncIterator[Door]:
    parts = conninfo_to_dict(conninfo(database_urls.app))
    socket = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    door = Door()
    server = await asyncio.start_server(lambda reader, writer: door.serve(socket, reader, writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    door.url = f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}?sslmode=disable&gssencmode=disable"
    yield door
    server.close()
    door.cut()


@pytest.fixture
async def pipe(door: Door) -> AsyncIterator[Pipe]:
    pipe = Pipe(DatabaseUrls(owner=door.url, app=door.url))
    yield pipe
    await pipe.close()


async def test_a_server_that_takes_connections_and_says_nothing_holds_nobody_up(door: Door, pipe: Pipe) -> None:
    assert await pipe.run(uuid4(), [ASK]) == [(1,)]
    door.slam()
    async with asyncio.timeout(3):
        for _ in range(10):
            with pytest.raises(PipeBroken):
                await pipe.run(uuid4(), [ASK])


async def test_once_the_server_answers_again_the_pipe_does_too(door: Door, pipe: Pipe) -> None:
    await pipe.run(uuid4(), [ASK])
    door.slam()
    for _ in range(2):
        with pytest.raises(PipeBroken):
            await pipe.run(uuid4(), [ASK])
    door.open = True
    door.cut()
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(PipeBroken):
                assert await pipe.run(uuid4(), [ASK]) == [(1,)]
                return
            await asyncio.sleep(0.01)


async def test_a_pipe_that_is_closed_while_it_connects_leaves_nothing_behind(door: Door, pipe: Pipe) -> None:
    await pipe.run(uuid4(), [ASK])
    door.slam()
    for _ in range(2):
        with pytest.raises(PipeBroken):
            await pipe.run(uuid4(), [ASK])
    async with asyncio.timeout(2):
        await pipe.close()
