"""The loop: woken by a notification, also after its connection was lost, and stopped when asked."""

from __future__ import annotations

import asyncio
from uuid import UUID

import psycopg

from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from tests.flows.world import World, plan


async def test_a_running_runner_takes_up_new_runs_and_survives_a_lost_connection(
    database: Database, database_urls: DatabaseUrls, project_id: UUID
) -> None:
    world = World(database, project_id)
    arrived = asyncio.Event()

    async def tell() -> None:
        arrived.set()

    world.provider.on_send = tell
    await world.publish(plan())
    stop = asyncio.Event()
    serving = asyncio.create_task(world.runner().serve(stop))
    try:
        for _ in range(2):
            await world.start()
            async with asyncio.timeout(30):
                await arrived.wait()
            arrived.clear()
            with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as owner:
                owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await serving
    assert len(world.provider.reached) == 2
