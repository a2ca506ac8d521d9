"""``whyleft worker``."""

from __future__ import annotations

import asyncio
import gc

from insights import logs
from insights.cli.options import DataDir
from insights.cli.processes import drain_of, operators, operators_listener, wait_for_database
from insights.cli.trouble import told
from insights.serving import loop, server
from insights.settings import Settings
from insights.wiring.database import shared_database
from insights.wiring.services import build
from insights.worker import work


def worker(data_dir: DataDir = None) -> None:
    """Close sessions, run flows and keep house, any number of times on one database.

    The schema is left as it is: it waits until `whyleft migrate` has brought it up to date.

    Example: [bold]WHYLEFT_DATABASE_URL=postgresql://… WHYLEFT_METRICS_BIND=127.0.0.1:9322 whyleft worker[/bold]
    """
    with told():
        settings = Settings.from_environment(data_dir=data_dir)
        logs.configure(settings)
        urls = shared_database(settings)
        watched = operators_listener(settings)
        services = build(settings, urls)

        async def begin(stop: asyncio.Event) -> None:
            await wait_for_database(services, stop)
            if not stop.is_set():
                await work(services, stop)

        # A group of sessions makes many objects that live as long as a statement: looked through less often, a fifth
        # less processor time. Nobody waits for a worker's pauses.
        gc.set_threshold(50_000, 50, 100)

        async def main(stop: asyncio.Event) -> None:
            await server.serve([], [begin], stop, drain=drain_of(services), operators=operators(services, watched))
            await services.database.close()

        loop.run(main)
