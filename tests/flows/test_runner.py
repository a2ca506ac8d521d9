"""Runs on a real PostgreSQL: nothing lost, nothing twice, nothing after a conversion."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from adapters.channels.contract import (
    Accepted,
    Idempotency,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Suppress,
)
from adapters.postgres.engine import Database
from flows.errors import FlowInvalid
from flows.models import Delivery, FlowVersion
from flows.store import list_runs
from flows.triggers import cancel_group, signal
from tests.flows.world import WAIT_THEN_SEND, Provider, World, plan, words


@pytest.fixture
def world(database: Database, project_id: UUID) -> World:
    return World(database, project_id)


async def test_a_run_waits_sends_and_ends(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start()
    await world.drain()
    assert world.provider.reached == []
    world.clock.now += timedelta(hours=1)
    await world.drain()
    (run,) = await world.runs(visitor)
    assert run.status == "done"
    assert [delivery.status for delivery in run.deliveries] == ["accepted"]
    assert words(run) == ["started", "waiting", "waited", "sending", "accepted", "ended"]
    assert world.provider.reached == [str(run.deliveries[0].id)]


async def test_the_same_trigger_starts_one_run(world: World) -> None:
    await world.publish(plan())
    visitor = await world.start(key="insight:1")
    await world.start(visitor, key="insight:1")
    assert len(await world.runs(visitor)) == 1


async def test_a_visitor_who_comes_back_too_soon_is_left_alone_and_the_run_says_so(world: World) -> None:
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    await world.start(visitor)
    assert sorted(str(run.end_reason) for run in await world.runs(visitor)) == ["finished", "reentry"]


async def test_a_trigger_from_long_ago_starts_nothing_and_says_so(world: World) -> None:
    await world.publish(plan())
    visitor = await world.start(age=timedelta(days=4))
    (run,) = await world.runs(visitor)
    assert (run.status, run.end_reason) == ("cancelled", "too_old")


async def test_a_conversion_cancels_what_waits(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start()
    await world.drain()
    assert await world.convert(visitor) == 1
    assert await world.convert(visitor) == 0
    world.clock.now += timedelta(hours=2)
    await world.drain()
    (run,) = await world.runs(visitor)
    assert run.status == "cancelled"
    assert run.end_reason is not None
    assert run.end_reason.startswith("converted")
    assert world.provider.reached == []


async def test_a_visitor_who_already_bought_gets_no_run(world: World) -> None:
    await world.publish(plan())
    visitor = uuid4()
    await world.convert(visitor)
    await world.start(visitor, age=timedelta(minutes=1))
    (run,) = await world.runs(visitor)
    assert run.end_reason == "converted"


async def test_no_send_begins_after_a_conversion_however_they_race(world: World) -> None:
    await world.publish(plan())
    visitors = [await world.start() for _ in range(60)]
    converted: set[UUID] = set()
    begun_after: list[UUID] = []
    original = world.provider.send

    async def send(intent: SendIntent) -> Result:
        return await original(intent)

    world.provider.send = send  # type: ignore[method-assign]

    async def convert(visitor: UUID) -> None:
        await world.convert(visitor)
        converted.add(visitor)

    await asyncio.gather(world.drain(), *(convert(visitor) for visitor in visitors[::2]))
    await world.drain()
    for visitor in visitors:
        (run,) = await world.runs(visitor)
        gate = [line for line in run.history if line.what == "sending"]
        cancelled = [line for line in run.history if line.what == "cancelled"]
        if gate and cancelled and run.history.index(gate[0]) > run.history.index(cancelled[0]):
            begun_after.append(visitor)
        if visitor not in converted:
            assert run.status == "done"
    assert begun_after == []


async def test_a_conversion_during_a_send_lets_it_finish_and_stops_what_follows(world: World) -> None:
    await world.publish(
        plan(
            {
                "a": {"do": "send", "action": "send_email", "next": "b"},
                "b": {"do": "send", "action": "send_email"},
            }
        )
    )
    visitor = await world.start()

    async def convert() -> None:
        await world.convert(visitor)

    world.provider.on_send = convert
    await world.drain()
    (run,) = await world.runs(visitor)
    assert run.status == "cancelled"
    assert [delivery.status for delivery in run.deliveries] == ["accepted"]


@pytest.mark.parametrize(
    ("idempotency", "status"),
    [("key", "accepted"), ("natural", "accepted"), ("lookup", "accepted"), ("none", "unknown")],
)
async def test_a_worker_that_dies_while_sending_sends_nothing_twice(
    database: Database, project_id: UUID, idempotency: Idempotency, status: str
) -> None:
    world = World(database, project_id, Provider(idempotency, script=[asyncio.CancelledError()]))
    await world.publish(plan())
    visitor = await world.start()
    with pytest.raises(asyncio.CancelledError):
        await world.runner().run_due()
    await world.drain()
    assert [run.status for run in await world.runs(visitor)] == ["sending"]
    world.clock.now += timedelta(minutes=2)
    await world.drain()
    (run,) = await world.runs(visitor)
    assert run.status == "done"
    assert [delivery.status for delivery in run.deliveries] == [status]
    # A naturally idempotent provider takes the copy and nobody sees two; every other one was reached once.
    assert len(world.provider.reached) == (2 if idempotency == "natural" else 1)


async def test_two_workers_send_each_run_once(world: World) -> None:
    await world.publish(plan())
    for _ in range(120):
        await world.start()
    await asyncio.gather(world.drain(), world.drain())
    assert len(world.provider.reached) == len(set(world.provider.reached)) == 120


async def test_a_refusal_that_may_pass_is_tried_again_with_the_same_key(database: Database, project_id: UUID) -> None:
    world = World(database, project_id, Provider("none", script=[Retry("busy"), Accepted()]))
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    world.clock.now += timedelta(minutes=1)
    await world.drain()
    (run,) = await world.runs(visitor)
    assert [delivery.status for delivery in run.deliveries] == ["accepted"]
    assert len(set(world.provider.reached)) == 1


async def test_a_refused_message_is_not_repeated(database: Database, project_id: UUID) -> None:
    world = World(database, project_id, Provider("none", script=[Rejected("no such sender")]))
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    (run,) = await world.runs(visitor)
    assert [(d.status, d.error) for d in run.deliveries] == [("rejected", "no such sender")]
    assert run.status == "done"


async def test_a_recipient_who_is_gone_gets_nothing_again(database: Database, project_id: UUID) -> None:
    world = World(database, project_id, Provider("none", script=[Suppress("mailbox gone")]))
    await world.publish(plan())
    await world.start()
    await world.drain()
    second = await world.start()
    await world.drain()
    (run,) = await world.runs(second)
    assert any(line.what == "skipped" and line.detail.startswith("suppressed") for line in run.history)
    assert len(world.provider.reached) == 1


async def test_without_consent_nothing_goes_out_and_the_run_says_so(world: World) -> None:
    world.consents.agreed = False
    await world.publish(plan({"a": {"do": "send", "action": "send_email", "params": {"consent": True}}}))
    visitor = await world.start()
    await world.drain()
    (run,) = await world.runs(visitor)
    assert any(line.detail.startswith("no_consent") for line in run.history)
    assert world.provider.reached == []


async def test_what_is_due_too_long_ago_is_skipped(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start()
    await world.drain()
    world.clock.now += timedelta(days=5)
    await world.drain()
    (run,) = await world.runs(visitor)
    assert any(line.detail.startswith("too_late") for line in run.history)
    assert world.provider.reached == []


async def test_one_dedupe_key_is_delivered_once_over_all_runs(world: World) -> None:
    await world.publish(plan({"a": {"do": "send", "action": "create_ticket", "params": {"key": "error-1"}}}))
    first, second = await world.start(), await world.start()
    await world.drain()
    details = [line.detail for visitor in (first, second) for run in await world.runs(visitor) for line in run.history]
    assert sum(detail.startswith("already_delivered") for detail in details) == 1
    assert len(world.provider.reached) == 1


SIGNAL = {
    "a": {"do": "wait", "for": "P14D", "until": {"name": "fixed", "key": "e.f"}, "next": "b", "otherwise": "c"},
    "b": {"do": "send", "action": "send_email"},
    "c": {"do": "exit", "reason": "never fixed"},
}


async def test_a_signal_wakes_the_runs_that_wait_for_it(world: World) -> None:
    await world.publish(plan(SIGNAL))
    visitor = await world.start()
    await world.drain()
    async with world.database.transaction(world.project_id) as tx:
        assert await signal(tx, world.project_id, "fixed", "other", world.clock()) == 0
        assert await signal(tx, world.project_id, "fixed", "x", world.clock()) == 1
    await world.drain()
    (run,) = await world.runs(visitor)
    assert "signalled" in words(run)
    assert len(world.provider.reached) == 1


async def test_a_signal_given_before_the_wait_is_seen_by_it(world: World) -> None:
    await world.publish(plan(SIGNAL))
    visitor = await world.start()
    async with world.database.transaction(world.project_id) as tx:
        await signal(tx, world.project_id, "fixed", "x", world.clock())
    await world.drain()
    (run,) = await world.runs(visitor)
    assert "signalled" in words(run)


async def test_a_superseded_insight_cancels_its_runs(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start(key="insight:9")
    async with world.database.transaction(world.project_id) as tx:
        assert await cancel_group(tx, world.project_id, "group:insight:9", "superseded", world.clock()) == 1
    (run,) = await world.runs(visitor)
    assert (run.status, run.end_reason) == ("cancelled", "superseded")


async def test_a_run_that_always_fails_is_put_aside_and_the_others_go_on(world: World) -> None:
    await world.publish(plan())
    poisoned, healthy = await world.start(), await world.start()
    world.composer.poison = poisoned
    for _ in range(6):
        await world.drain()
        world.clock.now += timedelta(hours=1)
    assert [run.status for run in await world.runs(healthy)] == ["done"]
    (run,) = await world.runs(poisoned)
    assert run.status == "dead"
    world.composer.poison = None
    assert await world.replay(run.id) == 1
    await world.drain()
    assert [run.status for run in await world.runs(poisoned)] == ["done"]


async def test_publishing_the_same_definition_makes_no_new_version(world: World) -> None:
    await world.publish(plan())
    await world.publish(plan())
    await world.publish(plan(WAIT_THEN_SEND))
    async with world.database.transaction(world.project_id) as tx:
        assert sorted(await tx.scalars(select(FlowVersion.number))) == [1, 2]


async def test_a_run_stays_with_the_version_it_started_on(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start()
    await world.drain()
    await world.publish(plan({"a": {"do": "exit", "reason": "changed"}}))
    world.clock.now += timedelta(hours=1)
    await world.drain()
    (run,) = await world.runs(visitor)
    assert (run.version, run.end_reason) == (1, "finished")
    assert len(run.deliveries) == 1


async def test_a_definition_with_faults_cannot_be_published(world: World) -> None:
    with pytest.raises(FlowInvalid) as refusal:
        await world.publish(plan({"a": {"do": "send", "action": "send_pigeon"}}))
    assert refusal.value.faults[0].pointer == "/steps/a/action"


async def test_one_project_does_not_see_the_runs_of_another(world: World) -> None:
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    async with world.database.transaction(uuid4()) as tx:
        assert await list_runs(tx, world.project_id, visitor_id=visitor) == []
        assert (await tx.execute(select(Delivery))).all() == []
