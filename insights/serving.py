"""Runs HTTP applications and background work in one process, and ends both in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
import uvicorn
import uvloop
from sqlalchemy.orm import configure_mappers
from starlette.types import ASGIApp

from insights.connections import connection_class
from insights.errors import WhyleftError
from insights.traffic.limits import ConnectionLimits
from insights.traffic.refusal import Guarded

log = structlog.get_logger()

Background = Callable[[asyncio.Event], Awaitable[None]]

CLEANING_SECONDS = 5.0
"""After the time that a request may take to finish: for the last commit and the closing of connections."""


@dataclass(frozen=True, slots=True)
class Drain:
    """How a process ends. ``begin`` tells whoever asks that it does; requests are still taken for ``delay`` seconds,
    so that a balancer notices; what is under way then gets ``within`` seconds."""

    begin: Callable[[], None] = lambda: None
    delay: float = 0.0
    within: float = 10.0


class PortTaken(WhyleftError):
    """Somebody else listens where we were asked to."""


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises PortTaken.

    ``shared``: others that are shared too may listen on the same port, and the system deals connections out to them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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


YOUNG: Final = 10_000
"""Objects made and not yet gone before the collector looks at them. A few hundred requests that wait for their commit
hold as many: by the default of 700 it looked at each of them, over and over, and found nothing."""


def freeze_what_stays() -> None:
    """Takes what a process loads once, and keeps to its end, out of the garbage collector's sight.

    A full collection walks all of that otherwise, in the middle of somebody's request. What the tables' classes are to
    each other is worked out first, which the first request would wait 50 ms for.
    """
    configure_mappers()
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(max(YOUNG, gc.get_threshold()[0]), middle, old)


async def serve(
    apps: Sequence[tuple[ASGIApp, socket.socket]],
    background: Sequence[Background],
    stop: asyncio.Event,
    *,
    drain: Drain = Drain(),
    operators: Sequence[tuple[ASGIApp, socket.socket]] = (),
    connections: ConnectionLimits = ConnectionLimits(),
) -> None:
    """Serves until ``stop`` is set: then requests under way are answered, then the background work ends.

    ``operators`` are served to the very end: they tell that the process is draining. ``connections``: what each
    listener puts up with.
    """
    freeze_what_stays()
    watching = [
        (server, asyncio.create_task(server.serve(sockets=[on])))
        for server, on in _servers(operators, drain, connections)
    ]
    serving = [
        (server, asyncio.create_task(server.serve(sockets=[on]))) for server, on in _servers(apps, drain, connections)
    ]
    working = [asyncio.ensure_future(work(stop)) for work in background]
    stopping = asyncio.create_task(stop.wait())
    tasks: list[asyncio.Future[None]] = [*(task for _, task in serving), *working]
    try:
        # Whatever ends first, by itself or by a failure, ends the rest.
        ends: list[asyncio.Future[Any]] = [stopping, *tasks, *(task for _, task in watching)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        drain.begin()
        told = stop.is_set()
        stop.set()
        if told and drain.delay:
            await asyncio.sleep(drain.delay)
        for server, _ in serving:
            server.should_exit = True
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=drain.within + CLEANING_SECONDS)
            if late:
                log.warning("drain_cut_short", tasks=len(late))
                for task in late:
                    task.cancel()
                await asyncio.wait(late)
        for server, _ in watching:
            server.should_exit = True
        await asyncio.gather(*(task for task in tasks if not task.cancelled()), *(task for _, task in watching))
        await stopping


def _servers(
    apps: Sequence[tuple[ASGIApp, socket.socket]], drain: Drain, connections: ConnectionLimits
) -> Iterator[tuple[_Server, socket.socket]]:
    for app, listener in apps:
        config = uvicorn.Config(
            app,
            loop="none",
            # None is spoken here, and a connection would be handed over with less of a transport than they want.
            ws="none",
            http=connection_class(connections, app if isinstance(app, Guarded) else None),
            # Whom to believe about addresses is decided once, by the settings (``traffic/addresses``).
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(drain.within)),
        )
        yield _Server(config), listener


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Runs ``main`` on uvloop; an interrupt, a termination or a hang-up sets the event, a second one ends at once.

    A process of a group ends with its parent, and leaves interrupts to it.
    """
    parent = multiprocessing.parent_process()

    async def with_signals() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def told(number: int) -> None:
            if stop.is_set():
                os._exit(128 + number)
            stop.set()

        loop.add_signal_handler(signal.SIGTERM, told, signal.SIGTERM)
        if parent is None:
            loop.add_signal_handler(signal.SIGINT, told, signal.SIGINT)
            # A terminal that is closed; nohup has it ignored.
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                loop.add_signal_handler(signal.SIGHUP, told, signal.SIGHUP)
        else:
            loop.add_reader(parent.sentinel, stop.set)
        await main(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_signals())
