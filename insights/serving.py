"""Runs HTTP applications and background work in one process, and ends both in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp

from insights.errors import WhyleftError

Background = Callable[[asyncio.Event], Awaitable[None]]


class PortTaken(WhyleftError):
    """Somebody else listens where we were asked to."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"Cannot listen on {host}:{port} ({error.strerror}). Stop what uses it, or choose another with --port."
        ) from None
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to ``serve``: several servers share the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    apps: Sequence[tuple[ASGIApp, socket.socket]], background: Sequence[Background], stop: asyncio.Event
) -> None:
    """Serves until ``stop`` is set: then requests under way are answered, then the background work ends."""
    servers = [
        _Server(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=10,
            )
        )
        for app, _ in apps
    ]
    serving = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, (_, listener) in zip(servers, apps, strict=True)
    ]
    working = [asyncio.ensure_future(work(stop)) for work in background]
    stopping = asyncio.create_task(stop.wait())
    try:
        # Whatever ends first, by itself or by a failure, ends the rest.
        await asyncio.wait([stopping, *serving, *working], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving, *working)
        await stopping


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Runs ``main`` on uvloop; an interrupt or a termination sets the event it is given."""

    async def with_signals() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_signals())
