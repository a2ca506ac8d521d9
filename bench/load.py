"""Sends HTTP requests over kept connections, as fast as they are answered or by a timetable, and times each."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass(slots=True)
class Run:
    """What came of a load. ``latencies`` in seconds, from when a request was meant to leave; ``errors``: not 200."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    first_error: str = ""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def at(self, share: float) -> float:
        """The latency in milliseconds that ``share`` of the requests kept below."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


class _Connection(asyncio.Protocol):
    """One kept connection, one request at a time. Reads Content-Length and chunked answers alike."""

    def __init__(self) -> None:
        self._answer = b""
        self._done: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> asyncio.Future[int]:
        """The status of the answer, when it is there."""
        assert self.transport is not None
        self._answer = b""
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, parted, body = self._answer.partition(b"\r\n\r\n")
        if not parted or self._done is None or self._done.done():
            return
        lower = head.lower()
        place = lower.find(b"content-length: ")
        length = int(lower[place + 16 :].split(b"\r\n", 1)[0]) if place >= 0 else None
        if len(body) >= length if length is not None else body.endswith(b"0\r\n\r\n"):
            self._done.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(0)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.transport is None or self.transport.is_closing()

    @property
    def answer(self) -> str:
        """The last answer, for an error message."""
        return self._answer.decode(errors="replace")


async def _connect(port: int) -> _Connection:
    _, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port)
    return connection


def _request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def _note(run: Run, connection: _Connection, status: int, took: float) -> None:
    run.latencies.append(took)
    if status != 200:
        run.errors += 1
        run.first_error = run.first_error or connection.answer[:500] or "the connection was closed"


async def closed_loop(
    port: int, path: str, bodies: Sequence[bytes], *, connections: int, seconds: float, leaves: bool = False
) -> Run:
    """As fast as they are answered, for ``seconds`` or until ``bodies`` are used up.

    ``leaves``: then hangs up on what is not answered yet, and does not count it.
    """
    requests = iter([_request(path, body) for body in bodies])
    run = Run()
    lines = [await _connect(port) for _ in range(connections)]
    started = time.perf_counter()

    async def one(connection: _Connection) -> None:
        for request in requests:
            before = time.perf_counter()
            status = await connection.send(request)
            now = time.perf_counter()
            _note(run, connection, status, now - before)
            if now - started > seconds or status == 0:
                return

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds if leaves else None):
            await asyncio.gather(*(one(connection) for connection in lines))
    run.seconds = time.perf_counter() - started
    _close(lines)
    return run


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """A full collection of the client's own objects takes a quarter of a second, which is not the server's.

    Within such a block another does nothing: its collection would fall into what the first one times.
    """
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def open_loop(port: int, path: str, bodies: Sequence[bytes], *, rate: float, most: int = 256) -> Run:
    """``rate`` requests a second by the clock, whatever the answers take; at most ``most`` connections.

    A request that finds no connection free waits, and its wait counts.
    """
    run, alone = Run(), has_a_core()
    idle: deque[_Connection] = deque([await _connect(port) for _ in range(16)])
    every, free = list(idle), asyncio.Semaphore(most)
    under_way: set[asyncio.Task[None]] = set()

    async def one(request: bytes, due: float) -> None:
        async with free:
            # Those that rested longest are closed by the server.
            while idle and idle[0].closed:
                idle.popleft()
            if idle:
                connection = idle.pop()
            else:
                connection = await _connect(port)
                every.append(connection)
            status = await connection.send(request)
            _note(run, connection, status, time.perf_counter() - due)
            if status:
                idle.append(connection)

    with without_collecting():
        started = time.perf_counter() + 0.05
        for number, body in enumerate(bodies):
            due = started + number / rate
            await _until(due, exactly=alone)
            task = asyncio.create_task(one(_request(path, body), due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
    run.seconds = time.perf_counter() - started
    _close(every)
    return run


def has_a_core() -> bool:
    """Whether this process keeps to one processor core, as ``bench.running.Cores`` has it where there are enough."""
    return hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) == 1


async def _until(due: float, *, exactly: bool) -> None:
    # The loop's timer is as coarse as a millisecond. Who sleeps by it sends what has come due meanwhile at once, and
    # requests that were to be apart wait for each other: that takes longer than a server that does nothing needs for
    # one. With a core to itself a client looks at the clock until it is time; without, that would be the server's time.
    if exactly:
        while time.perf_counter() < due:  # noqa: ASYNC110 - it is the clock that is waited for
            await asyncio.sleep(0)
    elif (ahead := due - time.perf_counter()) > 0.0005:
        await asyncio.sleep(ahead)


async def until_up(port: int, seconds: float = 60) -> None:
    """Waits until something listens on ``port``. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(OSError):
                _close([await _connect(port)])
                return
            await asyncio.sleep(0.05)


def _close(connections: Sequence[_Connection]) -> None:
    for connection in connections:
        if connection.transport is not None:
            connection.transport.close()
