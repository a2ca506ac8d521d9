"""What happens at the same moment: gate, purchase, new insight, signal. Nobody deadlocks, nobody slips through."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from adapters.channels.contract import Accepted, Result, SendIntent
from adapters.postgres.engine import Database
from flows.models import Delivery
from flows.ports import Trigger
from flows.starting import start_runs
from flows.triggers import cancel_group
from insights.segments.knowledge import VisitorKnowledge
from tests.flows.world import WAIT_THEN_SEND, World, plan, words


@pytest.fixture
def world(database: Database, project_id: UUID) -> World:
    return World(database, project_id)


async def waits_for_a_lock(world: World) -> None:
    """Returns once somebody in this database waits for a lock."""
    while True:
        async with world.database.transaction(None) as tx:
            query = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if await tx.scalar(query):
                return


async def test_a_new_insight_and_a_purchase_at_once_do_not_block_each_other(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start(key="old")
    async with world.database.transaction(world.project_id) as tx:
        await cancel_group(tx, world.project_id, "group:old", "superseded", world.clock())
        purchase = asyncio.create_task(world.convert(visitor))
        async with asyncio.timeout(30):
            await waits_for_a_lock(world)
        trigger = Trigger("insight", "new", "group:old", visitor, world.clock(), {"insight": {}})
        await start_runs(tx, world.project_id, [trigger], world.clock(), VisitorKnowledge())
    assert await purchase == 1
    assert [run.status for run in await world.runs(visitor)] == ["cancelled", "cancelled"]


async def test_a_cancelled_group_stays_cancelled_however_it_races_its_sends(world: World) -> None:
    await world.publish(
        plan(
            {
                "a": {"do": "send", "action": "send_email", "next": "b"},
                "b": {"do": "wait", "for": "PT1S", "next": "c"},
                "c": {"do": "send", "action": "send_email"},
            }
        )
    )
    keys = [f"race-{number}" for number in range(40)]
    visitors = [await world.start(key=key) for key in keys]

    async def cancel(key: str) -> None:
        async with world.database.transaction(world.project_id) as tx:
            await cancel_group(tx, world.project_id, f"group:{key}", "superseded", world.clock())

    await asyncio.gather(world.drain(), *(cancel(key) for key in keys))
    await world.later(seconds=10)
    runs = [await world.only_run(visitor) for visitor in visitors]
    assert {run.status for run in runs} == {"cancelled"}
    for run in runs:
        assert "sending" not in words(run)[words(run).index("cancelled") :]


async def test_no_provider_is_called_for_a_run_that_a_purchase_cancelled_before_its_gate(world: World) -> None:
    """Many rounds with both orders: what the purchase found past the gate may be sent, nothing else."""
    await world.publish(plan())
    calls: set[str] = set()

    async def send(intent: SendIntent) -> Result:
        calls.add(intent.key)
        return Accepted()

    world.provider.send = send  # type: ignore[method-assign]
    for _ in range(12):
        visitors = [await world.start() for _ in range(10)]
        await asyncio.gather(world.drain(), world.drain(), *(world.convert(visitor) for visitor in visitors))
        await world.drain()
        for visitor in visitors:
            run = await world.only_run(visitor)
            said = words(run)
            assert run.status in ("done", "cancelled")
            if "cancelled" in said:
                assert "sending" not in said[said.index("cancelled") :]
            assert len(run.deliveries) == said.count("sending")
            assert {str(delivery.id) for delivery in run.deliveries} <= calls


async def test_a_purchase_and_a_new_run_at_once_leave_no_run_behind(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    for _ in range(30):
        visitor = uuid4()
        await asyncio.gather(world.start(visitor), world.convert(visitor))
        assert (await world.only_run(visitor)).status == "cancelled"


async def test_the_same_trigger_from_two_workers_at_once_starts_one_run(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    for number in range(20):
        visitor = uuid4()
        await asyncio.gather(*(world.start(visitor, key=f"same-{number}") for _ in range(3)))
        assert len(await world.runs(visitor)) == 1


async def test_a_signal_given_while_runs_begin_to_wait_for_it_reaches_all_of_them(world: World) -> None:
    await world.publish(
        plan(
            {
                "a": {
                    "do": "wait",
                    "for": "P14D",
                    "until": {"name": "fixed", "key": "e.f"},
                    "next": "b",
                    "otherwise": "c",
                },
                "b": {"do": "exit", "reason": "fixed"},
                "c": {"do": "exit", "reason": "never fixed"},
            }
        )
    )
    visitors = [await world.start() for _ in range(60)]
    await asyncio.gather(world.drain(), world.signal("fixed", "x"))
    await world.drain()
    assert {(await world.only_run(visitor)).end_reason for visitor in visitors} == {"fixed"}


async def test_two_runs_with_one_dedupe_key_at_once_send_once(world: World) -> None:
    await world.publish(plan({"a": {"do": "send", "action": "create_ticket", "params": {"key": "one"}}}))
    visitors = [await world.start() for _ in range(20)]
    await asyncio.gather(world.drain(), world.drain())
    assert len(world.provider.reached) == 1
    runs = [await world.only_run(visitor) for visitor in visitors]
    skipped = [line for run in runs for line in run.history if line.what == "skipped"]
    assert len(skipped) == 19


async def test_two_workers_share_two_hundred_runs_and_send_each_once(world: World) -> None:
    await world.publish(plan())
    for _ in range(200):
        await world.start()
    await asyncio.gather(world.drain(), world.drain())
    assert len(world.provider.reached) == len(set(world.provider.reached)) == 200
    async with world.database.transaction(world.project_id) as tx:
        statuses = await tx.execute(select(Delivery.status, func.count()).group_by(Delivery.status))
        assert [tuple(row) for row in statuses] == [("accepted", 200)]
