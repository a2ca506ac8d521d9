"""A way by TCP to the tests' server, which listens on a socket of the file system only; and one that can be shut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.engine import conninfo


class Door:
    """Stands before a server. ``open``: passes everything on; else it takes connections and says nothing. ``full``:
    new ones are cut at once. ``taken``: how many there were."""

    def __init__(self) -> None:
        self.open = True
        self.full = False
        self.taken = 0
        self.url = ""
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, socket: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        if self.full:
            writer.transport.abort()
            return
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


@contextlib.asynccontextmanager
async def door_to(url: str) -> AsyncIterator[Door]:
    """A door before the server of ``url``, on a free port."""
    parts = conninfo_to_dict(conninfo(url))
    socket = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    door = Door()
    server = await asyncio.start_server(lambda reader, writer: door.serve(socket, reader, writer), "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    door.url = (
        f"postgresql://{parts['user']}@127.0.0.1:{door.port}/{parts['dbname']}?sslmode=disable&gssencmode=disable"
    )
    try:
        yield door
    finally:
        server.close()
        door.cut()
