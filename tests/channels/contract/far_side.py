"""A provider on loopback that goes wrong as it is told, and a transport that leads every address to it.

Whatever host an adapter names, its bytes come here: the adapter is the shipped one, its addresses included.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import httpx

from adapters.channels.line import Line
from adapters.channels.public_only import trusted

Fault = Literal["", "refuse", "full", "drop", "hang", "truncate"]
"""How a reply goes wrong: nobody listens; nobody picks up; taken, then hung up; taken, then silence; half of the body,
then hung up."""


@dataclass(frozen=True)
class Reply:
    """What the provider answers. ``body``: bytes or text as they are, anything else as JSON."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault = ""

    @property
    def raw(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Call:
    """One request as it arrived; header names in lower case. ``host`` is what the adapter named."""

    method: str
    host: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Provider:
    """``replies``: "METHOD /path/prefix" (or a bare prefix) → Reply, the longest that fits wins; ``otherwise`` else.

    ``arrived``: every request that came in whole, whatever was answered.
    """

    otherwise: Reply = field(default_factory=lambda: Reply(404, {"message": "no such path"}))
    replies: dict[str, Reply] = field(default_factory=dict)
    arrived: list[Call] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def reply_to(self, call: Call) -> Reply:
        fitting = [
            name
            for name in self.replies
            if call.path.startswith(name.rpartition(" ")[2]) and name.rpartition(" ")[0] in ("", call.method)
        ]
        return self.replies[max(fitting, key=lambda name: len(name.rpartition(" ")[2]))] if fitting else self.otherwise

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, target, _ = head[0].split(" ")
            call = Call(method, headers.get("host", ""), target, headers, body)
            self.arrived.append(call)
            await self._answer(self.reply_to(call), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reply.fault == "drop":
            writer.transport.abort()
            return
        if reply.fault == "hang":
            await reader.read()
            return
        raw = reply.raw
        headers = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Whatever", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        writer.write(raw[: max(len(raw) // 2, 0)] if reply.fault == "truncate" else raw)
        await writer.drain()


@contextlib.contextmanager
def full_house() -> Iterator[int]:
    """A port whose queue of connections is full: whoever comes next waits and is never let in."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", port))
        yield port


class LeadsTo(httpx.AsyncBaseTransport):
    """Every request goes to one port of this machine, in the clear, whatever its address says."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._inner = httpx.AsyncHTTPTransport(verify=trusted(), limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """A provider on a free port."""
    state = Provider()
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        await server.wait_closed()


def line_to(port: int, *, timeout: float = 5.0) -> Line:
    """A line whose far end is that port. Its pauses between harmless repeats take no time."""
    return Line(transport=lambda: LeadsTo(port), timeout=timeout, sleep=_at_once)
