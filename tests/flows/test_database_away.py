"""The database goes away, or somebody holds a row, while a provider has a message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import event, text

from adapters.postgres.engine import Database, DatabaseUrls
from tests.flows.world import World, plan, words
from tests.postgres.door import Door, door_to

TWO_SENDS = {
    "a": {"do": "send", "action": "send_email", "next": "b"},
    "b": {"do": "send", "action": "send_email"},
}


@pytest.fixture
async def door(database_urls: DatabaseUrls) -> AsyncIterator[Door]:
    async with door_to(database_urls.app) as door:
        yield door


@pytest.fixture
async def behind(door: Door) -> AsyncIterator[Database]:
    """The database as the runner reaches it."""
    database = Database(DatabaseUrls(owner=door.url, app=door.url))
    yield database
    await database.close()


async def test_what_the_provider_said_is_written_down_when_the_database_is_back(
    database: Database, behind: Database, door: Door, project_id: Any
) -> None:
    world = World(database, project_id)
    await world.publish(plan(TWO_SENDS))
    visitor = await world.start()

    async def away() -> None:
        world.provider.on_send = None
        door.slam()
        asyncio.get_running_loop().call_later(0.5, back)

    def back() -> None:
        door.open = True
        door.cut()

    world.provider.on_send = away
    world.database = behind  # for the runner
    async with asyncio.timeout(30):
        await world.drain()
    world.database = database
    run = await world.only_run(visitor)
    assert [delivery.status for delivery in run.deliveries] == ["accepted", "accepted"]
    assert len(world.provider.reached) == 2
    assert words(run).count("accepted") == 2


async def test_a_run_whose_turn_had_not_begun_is_no_failure_and_free_again_at_once(
    database: Database, behind: Database, door: Door, project_id: Any
) -> None:
    world = World(database, project_id)
    await world.publish(plan())
    visitor = await world.start()
    world.database = behind
    runner = world.runner()
    claim = runner._claims.claim_runs

    async def claimed_and_then_away(*arguments: Any, **options: Any) -> Any:
        leases = await claim(*arguments, **options)
        door.open = False
        door.cut()
        asyncio.get_running_loop().call_later(0.3, door.cut)
        return leases

    runner._claims.claim_runs = claimed_and_then_away  # type: ignore[method-assign]
    with pytest.raises(Exception, match=r"connection|closed|terminat"):
        await runner.run_due()
    door.open = True
    door.cut()
    runner._claims.claim_runs = claim  # type: ignore[method-assign]
    assert await runner.run_due() == 1
    world.database = database
    run = await world.only_run(visitor)
    assert (run.status, "failed" in words(run)) == ("done", False)


@pytest.fixture
async def impatient(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The database as the runner reaches it, that waits a tenth of a second for a lock."""
    database = Database(database_urls)

    @event.listens_for(database.engine.sync_engine, "connect")
    def hurry(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        connection.commit()

    yield database
    await database.close()


async def test_what_the_provider_said_is_written_down_when_nobody_holds_the_run_any_more(
    database: Database, impatient: Database, project_id: Any
) -> None:
    world = World(database, project_id)
    await world.publish(plan())
    visitor = await world.start()
    holding: list[asyncio.Task[None]] = []

    async def hold() -> None:
        held = asyncio.Event()
        holding.append(asyncio.create_task(hold_runs(database, project_id, held, 0.5)))
        await held.wait()

    world.provider.on_send = hold
    world.database = impatient
    await world.drain()
    await holding[0]
    world.database = database
    run = await world.only_run(visitor)
    assert (run.status, [delivery.status for delivery in run.deliveries]) == ("done", ["accepted"])
    assert "failed" not in words(run)


async def test_a_run_that_somebody_holds_is_no_failure_and_free_again_at_once(
    database: Database, impatient: Database, project_id: Any
) -> None:
    world = World(database, project_id)
    await world.publish(plan())
    visitor = await world.start()
    world.database = impatient
    runner = world.runner()
    claim = runner._claims.claim_runs
    holding: list[asyncio.Task[None]] = []

    async def claimed_and_then_held(*arguments: Any, **options: Any) -> Any:
        claims = await claim(*arguments, **options)
        held = asyncio.Event()
        holding.append(asyncio.create_task(hold_runs(database, project_id, held, 0.5)))
        await held.wait()
        return claims

    runner._claims.claim_runs = claimed_and_then_held  # type: ignore[method-assign]
    with pytest.raises(Exception, match="lock timeout"):
        await runner.run_due()
    await holding[0]
    runner._claims.claim_runs = claim  # type: ignore[method-assign]
    assert await runner.run_due() == 1
    world.database = database
    run = await world.only_run(visitor)
    assert (run.status, "failed" in words(run)) == ("done", False)


async def hold_runs(database: Database, project_id: Any, held: asyncio.Event, seconds: float) -> None:
    """Holds the rows of all runs for a while, as a slow transaction does."""
    async with database.transaction(project_id) as tx:
        await tx.execute(text("SELECT id FROM flow_run FOR UPDATE"))
        held.set()
        await asyncio.sleep(seconds)
