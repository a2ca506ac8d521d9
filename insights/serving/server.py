"""Serves HTTP applications beside background work in one process, and ends both in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from insights.serving.collector import freeze_what_stays
from insights.serving.connection import connection_class
from insights.serving.descriptors import connections_within
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


class _Server(uvicorn.Server):
    """Leaves signals to ``serve``: several servers share the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
    if apps:
        connections = replace(connections, all=connections_within(connections.all))
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
