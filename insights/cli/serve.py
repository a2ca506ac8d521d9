"""``whyleft serve``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from insights import logs
from insights.app import create_app
from insights.cli.options import DataDir
from insights.cli.processes import drain_of, operators, operators_listener, tell_where, wait_for_database
from insights.cli.trouble import told
from insights.serving import loop, server
from insights.serving.listener import bind
from insights.settings import Settings
from insights.wiring.database import open_database
from insights.wiring.services import build
from insights.worker import ensure_partitions, work


def serve(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8321,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data_dir: DataDir = None,
) -> None:
    """Run everything in one process: the API, the viewer under /app, the worker.

    Example: [bold]whyleft serve --port 8321 --data-dir ./data[/bold]
    """
    with told():
        settings = Settings.from_environment(data_dir=data_dir)
        logs.configure(settings)
        listener = bind(host, port)
        watched = operators_listener(settings)
        with open_database(settings) as urls:
            services = build(settings, urls)

            async def main(stop: asyncio.Event) -> None:
                await wait_for_database(services, stop)
                await ensure_partitions(services.database)
                tell_where(settings, host, listener)
                await server.serve(
                    [(create_app(services), listener)],
                    [lambda stop: work(services, stop)],
                    stop,
                    drain=drain_of(services),
                    operators=operators(services, watched),
                    connections=services.traffic.connections,
                )
                await services.database.close()

            loop.run(main)
