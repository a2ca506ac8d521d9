"""``whyleft api``."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from adapters.postgres.engine import DatabaseUrls
from insights import logs
from insights.api.until_ready import UntilReady
from insights.app import create_app
from insights.cli.options import DataDir
from insights.cli.processes import drain_of, operators, operators_listener, tell_where, wait_for_database
from insights.cli.trouble import told
from insights.serving import loop, server
from insights.serving.group import Group
from insights.serving.listener import bind
from insights.settings import Settings
from insights.wiring.database import shared_database
from insights.wiring.services import Place, build


def api(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8321,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="Processes that share the port; one a core.", min=1, max=64)] = 1,
    data_dir: DataDir = None,
) -> None:
    """Run the API and the viewer, without background work, any number of times on one database.

    The schema is left as it is: it waits until `whyleft migrate` has brought it up to date.

    Example: [bold]WHYLEFT_DATABASE_URL=postgresql://… whyleft api --workers 4[/bold]
    """
    with told():
        settings = Settings.from_environment(data_dir=data_dir)
        logs.configure(settings)
        urls = shared_database(settings)
        listeners = _listeners(host, port, workers)
        watched = [operators_listener(settings, shared=workers > 1) for _ in listeners]
        tell_where(settings, host, listeners[0], workers)
        if workers == 1:
            run_api(settings, urls, listeners[0], watched[0], Place())
            return
        with tempfile.TemporaryDirectory(prefix="whyleft-") as folder:
            group = Group(run_api, settings.drain_delay_seconds + settings.drain_seconds)
            places = [
                (settings, urls, listener, watch, Place(number, Path(folder)))
                for number, (listener, watch) in enumerate(zip(listeners, watched, strict=True))
            ]
            sys.exit(group.run(places))


def run_api(
    settings: Settings, urls: DatabaseUrls, listener: socket.socket, watched: socket.socket | None, place: Place
) -> None:
    """One process of the API, until it is told to end."""
    logs.configure(settings)
    services = build(settings, urls, place)
    app = UntilReady(create_app(services))

    async def begin(stop: asyncio.Event) -> None:
        await wait_for_database(services, stop)
        app.open()
        await stop.wait()

    async def main(stop: asyncio.Event) -> None:
        await server.serve(
            [(app, listener)],
            [begin],
            stop,
            drain=drain_of(services),
            operators=operators(services, watched),
            connections=services.traffic.connections,
        )
        await services.database.close()

    # A process of a group has nobody else to say it.
    with told():
        loop.run(main)


def _listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """One socket a process, all on one port: the system deals new connections out evenly."""
    first = bind(host, port, shared=count > 1)
    rest = [bind(host, first.getsockname()[1], shared=True) for _ in range(count - 1)]
    return [first, *rest]
