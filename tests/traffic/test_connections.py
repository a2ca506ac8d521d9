"""Connections as strangers use them: half a request, endless headers, one byte a second, a crowd."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from insights.api.answers import WHOLE, Answer, head_of
from insights.api.safe_headers import SAFE
from insights.serving.connection import Connection
from insights.serving.crowd import Crowd
from insights.serving.joined import Joined
from insights.serving.listener import bind
from insights.serving.server import serve
from insights.traffic.addresses import Clients
from insights.traffic.limits import TIMED, ConnectionLimits


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)}")(scope, receive, send)


@asynccontextmanager
async def listening(limits: ConnectionLimits, app: ASGIApp = echo) -> AsyncIterator[int]:
    listener = bind("127.0.0.1", 0)
    stop = asyncio.Event()
    task = asyncio.create_task(serve([(app, listener)], [], stop, connections=limits))
    yield listener.getsockname()[1]
    stop.set()
    await task


async def exchange(port: int, data: bytes) -> bytes:
    """What is answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 15)
    writer.close()
    return answer


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"


async def test_what_does_not_arrive_whole_in_time_is_cut_and_told_so() -> None:
    async with listening(ConnectionLimits(seconds=0.5)) as port:
        half_headers, half_body, nothing = await asyncio.gather(
            exchange(port, HEAD), exchange(port, HEAD + b"\r\nabc"), exchange(port, b"")
        )
        assert half_headers.startswith(b"HTTP/1.1 408 ")
        assert half_body.startswith(b"HTTP/1.1 408 ")
        assert nothing == b""
        head, _, body = half_body.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head


async def test_one_byte_at_a_time_does_not_buy_more_time() -> None:
    async with listening(ConnectionLimits(seconds=1.0)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = asyncio.create_task(reader.read(13))
        for part in [HEAD + b"\r\n", *[b"x"] * 9]:
            if answer.done():
                break
            writer.write(part)
            await asyncio.sleep(0.4)
        assert await asyncio.wait_for(answer, 10) == b"HTTP/1.1 408 "
        writer.close()


async def test_each_of_hundreds_is_looked_at_before_any_of_them_is_again() -> None:
    class Idle:
        client = ("198.51.100.7", 1)
        since = None
        looks = 0

        def __init__(self) -> None:
            self.loop = asyncio.get_running_loop()

        def is_stuck(self, now: float, seconds: float) -> bool:
            self.looks += 1
            return False

    idle = [Idle() for _ in range(250)]
    crowd = Crowd(ConnectionLimits(each=0))
    assert all(crowd.enter(cast(Connection, one)) for one in idle)
    async with asyncio.timeout(15):
        while max(one.looks for one in idle) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert min(one.looks for one in idle) >= 1
    for one in idle:
        crowd.leave(cast(Connection, one))


async def test_headers_without_end_are_refused() -> None:
    async with listening(ConnectionLimits()) as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\n" + b"X-A: bbbbbbbbbbbbbbbbbbbb\r\n" * 4000)
        assert answer.startswith(b"HTTP/1.1 431 ")


async def test_what_is_said_before_a_connection_ends_has_the_headers_of_every_answer() -> None:
    async with listening(ConnectionLimits(seconds=0.5, each=5)) as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        answers = [await exchange(port, b"")]
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()
        for said in (b"GET / HTTP/1.1\r\n" + b"X-A: bbbbbbbbbbbbbbbbbbbb\r\n" * 4000, b"<html>\r\n\r\n", HEAD):
            answers.append(await exchange(port, said))
    for status, answer in zip((503, 431, 400, 408), answers, strict=True):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status), head
        for name, value in (*SAFE, (b"content-length", b"%d" % len(body)), (b"connection", b"close")):
            assert head.count(b"\r\n%s: %s" % (name, value)) == 1, (status, name, head)


async def test_a_kept_connection_is_used_again_and_large_bodies_arrive() -> None:
    async with listening(ConnectionLimits(seconds=5)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for size in (10, 200_000, 10):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(len(str(size))) == str(size).encode()
        writer.close()


async def test_one_address_has_so_many_connections_and_the_operators_own_have_more() -> None:
    for limits, welcome in (
        (ConnectionLimits(each=3), 3),
        (ConnectionLimits(each=3, clients=Clients("127.0.0.1")), 6),
        (ConnectionLimits(all=4, clients=Clients("127.0.0.1")), 4),
    ):
        async with listening(limits) as port:
            opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(6)]
            for _, writer in opened:
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            heads = []
            for reader, _ in opened:
                heads.append(await asyncio.wait_for(reader.read(15), 10))
            assert sum(head.startswith(b"HTTP/1.1 200") for head in heads) == welcome
            assert sum(head.startswith(b"HTTP/1.1 503") for head in heads) == 6 - welcome
            for _, writer in opened:
                writer.close()
            await asyncio.sleep(0.1)
            # Who left makes room.
            assert (await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(
                b"HTTP/1.1 200"
            )


LONG = 24_000_000
"""Bytes: more than the system takes off a server's hands."""


async def long(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("x" * LONG)(scope, receive, send)


async def test_who_does_not_take_an_answer_is_cut_and_who_takes_it_slowly_is_not() -> None:
    async with listening(ConnectionLimits(seconds=1.0), long) as port:
        loop = asyncio.get_running_loop()
        stuck, slow = socket.socket(), socket.socket()
        for one in (stuck, slow):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            one.setblocking(False)
            await loop.sock_connect(one, ("127.0.0.1", port))
            await loop.sock_sendall(one, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        taken = 0
        for _ in range(40):  # four seconds
            taken += len(await loop.sock_recv(slow, 30_000))
            await asyncio.sleep(0.1)
        while taken < LONG:
            part = await asyncio.wait_for(loop.sock_recv(slow, 1 << 20), 10)
            assert part
            taken += len(part)
        had = 0
        with suppress(ConnectionResetError):
            while part := await asyncio.wait_for(loop.sock_recv(stuck, 1 << 20), 10):
                had += len(part)
        assert had < LONG
        stuck.close()
        slow.close()


def test_a_whole_network_of_ipv6_is_one_customer() -> None:
    class From:
        def __init__(self, address: str | None) -> None:
            self.client = None if address is None else (address, 1)

    def let_in(crowd: Crowd, addresses: Sequence[str | None]) -> int:
        found = [cast(Connection, From(address)) for address in addresses]
        entered = [one for one in found if crowd.enter(one)]
        for one in found:
            crowd.leave(one)
        return len(entered)

    crowd = Crowd(ConnectionLimits(seconds=0, each=3, clients=Clients("2001:db8:9::/48")))
    for _ in range(2):  # who left makes room
        assert let_in(crowd, [f"2001:db8::{number:x}" for number in range(1, 20)]) == 3
        assert let_in(crowd, [f"2001:db8:0:{number:x}::1" for number in range(1, 20)]) == 19
        assert let_in(crowd, [f"2001:db8:9::{number:x}" for number in range(1, 20)]) == 19
        assert let_in(crowd, ["198.51.100.7", "::ffff:198.51.100.7"] * 4) == 3
        assert let_in(crowd, [None] * 9) == 3


class Wire(asyncio.Transport):
    """The far end of a transport: what was written to it, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return name


def joined() -> tuple[Joined, Wire]:
    wire = Wire()
    return Joined(wire, asyncio.get_running_loop()), wire


async def test_a_head_leaves_with_the_first_of_its_body() -> None:
    transport, wire = joined()
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.write(b"ab")
    transport.write(b"cd")
    assert wire.written == [b"HTTP/1.1 200 OK\r\n\r\nab", b"cd"]
    await asyncio.sleep(0)
    assert len(wire.written) == 2
    assert transport.get_extra_info("peername") == "peername"


async def test_a_head_whose_body_takes_its_time_does_not_wait_for_it() -> None:
    transport, wire = joined()
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await asyncio.sleep(0)
    assert wire.written == [b"HTTP/1.1 200 OK\r\n\r\n"]
    transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    transport.close()
    assert len(wire.written) == 2
    assert wire.closed


async def test_an_application_is_told_that_its_requests_are_timed_already() -> None:
    told = []

    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            told.append(TIMED in scope.get("extensions", ()))
        await echo(scope, receive, send)

    for seconds in (5.0, 0.0):
        async with listening(ConnectionLimits(seconds=seconds), listens) as port:
            await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert told == [True, False]


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        body = await Request(scope, receive).body()
        headers = ((b"content-type", b"text/plain"), (b"x-path", scope["path"].encode()))
        await Answer(head_of(200 if body else 400, headers), body or b"empty").leave(scope, send)


ABC = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n%b\r\nabc"


async def test_answers_that_leave_whole_are_those_of_their_own_requests_and_name_the_servers_headers_too() -> None:
    async with listening(ConnectionLimits(), whole) as port:
        ask = ABC % (b"one", b"") + b"POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        said = await exchange(port, ask + ABC % (b"three", b"Connection: close\r\n"))
    one, two, three = said.split(b"HTTP/1.1 ")[1:]
    assert one.startswith(b"200 OK\r\ncontent-type: text/plain\r\nx-path: /one\r\ncontent-length: 3\r\ndate: ")
    assert one.endswith(b" GMT\r\n\r\nabc")
    assert two.startswith(b"400 Bad Request\r\n") and b"x-path: /two" in two and two.endswith(b"\r\n\r\nempty")
    assert b"x-path: /three" in three and b"connection: close\r\n" in three and three.endswith(b"\r\n\r\nabc")


async def test_an_answer_leaves_in_two_messages_where_a_server_does_not_take_it_whole() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    for extensions in ({}, {"extensions": {WHOLE: lambda head, body: False}}):
        await Answer(head_of(200, ((b"x-a", b"b"),)), b"abc").leave(dict(extensions), send)
        assert sent == [
            {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b"), (b"content-length", b"3")]},
            {"type": "http.response.body", "body": b"abc"},
        ]
        sent.clear()


def test_no_header_of_a_whole_answer_can_begin_another_one() -> None:
    with pytest.raises(ValueError, match="control"):
        head_of(200, ((b"x-a", b"b\r\nx-c: d"),))


class Marker:
    """Something that is seen to go."""


async def test_what_was_answered_leaves_nothing_to_the_garbage_collector() -> None:
    kept: list[weakref.ref[Marker]] = []

    async def marks(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["marker"] = Marker()
            kept.append(weakref.ref(scope["marker"]))
            await Answer(head_of(200, ()), b"abc").leave(scope, send)

    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    gc.disable()
    try:
        async with listening(ConnectionLimits(), marks) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(3):
                writer.write(get)
                assert (await reader.readuntil(b"abc")).startswith(b"HTTP/1.1 200 ")
            gone = [ref() is None for ref in kept]
            writer.close()
    finally:
        gc.enable()
    # The connection knows its last request.
    assert gone == [True, True, False]


async def test_who_asks_for_a_websocket_is_answered_as_if_they_had_not() -> None:
    ask = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n"
    async with listening(ConnectionLimits()) as port:
        said = await exchange(port, ask + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 ")


async def test_a_crowd_that_hangs_up_together_is_let_go_a_few_at_a_time() -> None:
    class Gone:
        def __init__(self) -> None:
            self.loop = asyncio.get_running_loop()
            self.transport = self
            self.closed = False

        def close(self) -> None:
            self.closed = True

    crowd = Crowd(ConnectionLimits())
    gone = [Gone() for _ in range(35)]
    for one in gone:
        crowd.hung_up(cast(Any, one))
    left = []
    async with asyncio.timeout(10):
        while not left or left[-1]:
            await asyncio.sleep(0)
            now = sum(not one.closed for one in gone)
            if not left or left[-1] != now:
                left.append(now)
    assert left == [25, 15, 5, 0]
    # In the order in which they went, and nobody who goes later is forgotten.
    late = Gone()
    crowd.hung_up(cast(Any, late))
    await asyncio.sleep(0)
    assert late.closed
