"""Sends whose end nobody saw: repeated only where a second copy does no harm, and only if they may still go out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from adapters.channels.contract import Accepted, Idempotency, Result, Retry, SendIntent, Unknown
from adapters.postgres.engine import Database
from flows.deliveries import EAGER_TRIES, FIRST_PAUSE
from flows.models import Suppression
from tests.flows.world import WAIT_THEN_SEND, Provider, World, plan, words

CONSENTED = {"a": {"do": "send", "action": "send_email", "params": {"consent": True}}}


async def die_while_sending(world: World) -> None:
    world.provider.script.append(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await world.runner().run_due()


@pytest.fixture
def world(database: Database, project_id: Any) -> World:
    return World(database, project_id, Provider("key"))


@pytest.mark.parametrize(
    ("idempotency", "status", "reached"),
    [("key", "accepted", 1), ("natural", "accepted", 2), ("lookup", "accepted", 1), ("none", "unknown", 1)],
)
async def test_an_unknown_end_is_cleared_up_where_that_is_harmless(
    database: Database, project_id: Any, idempotency: Idempotency, status: str, reached: int
) -> None:
    world = World(database, project_id, Provider(idempotency, script=[Unknown("no answer")]))
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    await world.later(minutes=5)
    run = await world.only_run(visitor)
    assert run.status == "done"
    assert [delivery.status for delivery in run.deliveries] == [status]
    assert len(world.provider.reached) == reached


async def test_an_unknown_end_is_not_repeated_once_the_provider_forgot_the_key(world: World) -> None:
    world.provider.key_ttl = timedelta(minutes=1)
    world.provider.script = [Unknown("no answer")]
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    await world.later(minutes=5)
    assert [delivery.status for delivery in (await world.only_run(visitor)).deliveries] == ["unknown"]


async def test_a_send_that_is_cut_off_again_and_again_waits_before_it_is_tried_once_more(world: World) -> None:
    """Of a run that is due longest every worker's first try is this one: where they die one after the other, twelve
    tries are over within minutes."""
    await world.publish(plan())
    visitor = await world.start()
    for _ in range(EAGER_TRIES):
        await die_while_sending(world)
        world.clock.now += timedelta(minutes=2)
    assert await world.runner().run_due() == 1
    waiting = await world.only_run(visitor)
    assert (waiting.status, words(waiting)[-1]) == ("sending", "unanswered")
    world.clock.now += FIRST_PAUSE - timedelta(seconds=1)
    assert await world.runner().run_due() == 0
    world.clock.now += timedelta(seconds=2)
    await die_while_sending(world)
    world.clock.now += timedelta(minutes=2)
    assert await world.runner().run_due() == 1
    world.clock.now += 2 * FIRST_PAUSE
    await world.drain()
    run = await world.only_run(visitor)
    assert [one.status for one in run.deliveries] == ["accepted"]
    assert words(run).count("sending") == EAGER_TRIES + 2


async def test_a_provider_that_never_answers_is_not_asked_for_ever(world: World) -> None:
    world.provider.key_ttl = timedelta(days=90)
    sent: list[str] = []

    async def send(intent: SendIntent) -> Result:
        sent.append(intent.key)
        return Unknown("no answer")

    world.provider.send = send  # type: ignore[method-assign]
    await world.publish(plan({"a": {"do": "send", "action": "send_email", "max_lateness": "P30D"}}))
    visitor = await world.start()
    for _ in range(100):
        await world.later(hours=3)
    run = await world.only_run(visitor)
    assert run.status == "done"
    assert [delivery.status for delivery in run.deliveries] == ["unknown"]
    assert len(sent) < 20
    assert len(set(sent)) == 1


async def test_a_provider_that_asked_for_knows_nothing_gets_it_once_more(database: Database, project_id: Any) -> None:
    world = World(database, project_id, Provider("lookup"))
    await world.publish(plan())
    visitor = await world.start()
    await die_while_sending(world)
    world.provider.reached.clear()
    await world.later(minutes=2)
    run = await world.only_run(visitor)
    assert [delivery.status for delivery in run.deliveries] == ["accepted"]
    assert world.provider.reached == [str(run.deliveries[0].id)]


@pytest.mark.parametrize("idempotency", ["key", "lookup"])
async def test_who_unsubscribed_meanwhile_gets_no_repeat(
    database: Database, project_id: Any, idempotency: Idempotency
) -> None:
    world = World(database, project_id, Provider(idempotency))
    await world.publish(plan())
    visitor = await world.start()
    await die_while_sending(world)
    world.provider.reached.clear()
    async with database.transaction(project_id) as tx:
        tx.add(
            Suppression(
                project_id=project_id, channel="email", recipient="ada@example.org", reason="asked", at=world.clock()
            )
        )
    await world.later(minutes=2)
    run = await world.only_run(visitor)
    assert world.provider.reached == []
    assert [delivery.status for delivery in run.deliveries] == ["unknown" if idempotency == "key" else "rejected"]
    assert any(line.detail.startswith("suppressed") for line in run.history)


async def test_who_withdrew_consent_meanwhile_gets_no_repeat(world: World) -> None:
    await world.publish(plan(CONSENTED))
    visitor = await world.start()
    await die_while_sending(world)
    world.provider.reached.clear()
    world.consents.agreed = False
    await world.later(minutes=2)
    run = await world.only_run(visitor)
    assert world.provider.reached == []
    assert any(line.detail.startswith("no_consent") for line in run.history)


async def test_a_repeat_that_comes_too_late_is_left_out(database: Database, project_id: Any) -> None:
    world = World(database, project_id, Provider("natural"))
    await world.publish(plan())
    visitor = await world.start()
    await die_while_sending(world)
    world.provider.reached.clear()
    await world.later(days=5)
    run = await world.only_run(visitor)
    assert world.provider.reached == []
    assert any(line.detail.startswith("too_late") for line in run.history)
    assert [delivery.status for delivery in run.deliveries] == ["unknown"]


async def test_a_repeat_keeps_its_key_though_composing_again_would_choose_another(world: World) -> None:
    """A ticket's key holds the day: past midnight the repeat is still the same ticket."""
    await world.publish(plan({"a": {"do": "send", "action": "create_ticket", "params": {"key": "today"}}}))
    visitor = await world.start()
    await die_while_sending(world)
    world.composer.dedupe_key = "tomorrow"
    await world.later(minutes=2)
    run = await world.only_run(visitor)
    assert [delivery.status for delivery in run.deliveries] == ["accepted"]
    assert len(world.provider.reached) == 1


async def test_a_conversion_while_nobody_knows_ends_the_run_without_a_repeat(world: World) -> None:
    await world.publish(plan())
    visitor = await world.start()
    await die_while_sending(world)
    world.provider.reached.clear()
    assert await world.convert(visitor) == 1
    await world.later(minutes=2)
    run = await world.only_run(visitor)
    assert run.status == "cancelled"
    assert world.provider.reached == []
    assert [delivery.status for delivery in run.deliveries] == ["unknown"]


async def test_a_channel_that_breaks_its_word_and_raises_leaves_an_unknown(database: Database, project_id: Any) -> None:
    world = World(database, project_id, Provider("none", script=[RuntimeError("bug")]))
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    run = await world.only_run(visitor)
    assert [delivery.status for delivery in run.deliveries] == ["unknown"]


async def test_a_channel_that_hangs_gives_up_its_place_before_its_lease_is_over(
    database: Database, project_id: Any
) -> None:
    world = World(database, project_id, Provider("none"))

    async def hang() -> None:
        await asyncio.Event().wait()

    world.provider.on_send = hang
    await world.publish(plan())
    visitor = await world.start()
    async with asyncio.timeout(30):
        await world.runner(lease=timedelta(seconds=1)).run_due()
    run = await world.only_run(visitor)
    assert [delivery.status for delivery in run.deliveries] == ["unknown"]


async def test_a_send_that_passes_the_gate_late_has_a_whole_lease_to_finish(world: World) -> None:
    """The lease is taken with the batch; the last run of a slow batch must not be taken over in the middle."""
    await world.publish(plan())
    visitor = await world.start()
    taken_over: list[int] = []

    async def slow_gate(*_: object) -> None:
        world.clock.now += timedelta(seconds=50)

    async def slow_send() -> None:
        world.clock.now += timedelta(seconds=20)
        taken_over.append(await world.runner().run_due())

    world.composer.on_compose = slow_gate
    world.provider.on_send = slow_send
    await world.runner().run_due()
    assert taken_over == [0]
    assert (await world.only_run(visitor)).status == "done"


async def test_a_run_put_aside_in_the_middle_of_a_send_is_replayed_from_there(world: World) -> None:
    # PostgreSQL stores no zero byte: recording this answer fails every time.
    world.provider.script = [Accepted("\x00") for _ in range(5)]
    await world.publish(plan())
    visitor = await world.start()
    for _ in range(6):
        await world.later(minutes=20)
    run = await world.only_run(visitor)
    assert run.status == "dead"
    assert await world.replay(run.id) == 1
    await world.drain()
    await world.later(minutes=1)
    run = await world.only_run(visitor)
    assert (run.status, [delivery.status for delivery in run.deliveries]) == ("done", ["accepted"])
    assert len(world.provider.reached) == 1


async def test_a_dead_run_replayed_after_a_week_sends_nothing_stale(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start()
    world.composer.poison = visitor
    for _ in range(8):
        await world.later(hours=1)
    run = await world.only_run(visitor)
    assert run.status == "dead"
    world.composer.poison = None
    world.clock.now += timedelta(days=7)
    assert await world.replay(run.id) == 1
    await world.drain()
    run = await world.only_run(visitor)
    assert run.status == "done"
    assert any(line.detail.startswith("too_late") for line in run.history)
    assert world.provider.reached == []


async def test_a_provider_that_is_down_for_an_hour_loses_no_message(world: World) -> None:
    refusing = True

    async def send(intent: SendIntent) -> Result:
        return Retry("down for maintenance") if refusing else Accepted()

    world.provider.send = send  # type: ignore[method-assign]
    await world.publish(plan())
    visitor = await world.start()
    for _ in range(12):
        await world.later(minutes=5)
    refusing = False
    for _ in range(60):
        await world.later(minutes=5)
    assert [delivery.status for delivery in (await world.only_run(visitor)).deliveries] == ["accepted"]


async def test_a_message_that_waits_for_its_provider_goes_stale_all_the_same(world: World) -> None:
    async def send(intent: SendIntent) -> Result:
        return Retry("down")

    world.provider.send = send  # type: ignore[method-assign]
    await world.publish(plan({"a": {"do": "send", "action": "send_email", "max_lateness": "PT1H"}}))
    visitor = await world.start()
    for _ in range(30):
        await world.later(minutes=10)
    run = await world.only_run(visitor)
    assert run.status == "done"
    assert any(line.detail.startswith("too_late") for line in run.history)
    assert [delivery.status for delivery in run.deliveries] == ["rejected"]


async def test_a_message_that_waits_for_its_provider_is_closed_when_the_visitor_buys(world: World) -> None:
    world.provider.script = [Retry("busy")]
    await world.publish(plan())
    visitor = await world.start()
    await world.drain()
    assert await world.convert(visitor) == 1
    await world.later(hours=1)
    run = await world.only_run(visitor)
    assert run.status == "cancelled"
    assert [delivery.status for delivery in run.deliveries] == ["rejected"]
    assert len(world.provider.reached) == 1
    assert words(run).count("sending") == 1


async def test_a_message_that_does_not_go_out_leaves_no_trace_of_its_composing(world: World) -> None:
    """A discount code that was made for it, for example."""

    async def trace(tx: Any, request: Any) -> None:
        tx.add(Suppression(project_id=request.project_id, channel="x", recipient="trace", reason="", at=request.now))

    world.composer.on_compose = trace
    await world.publish(plan({"a": {"do": "send", "action": "send_email", "params": {"channel": "fax"}}}))
    visitor = await world.start()
    await world.drain()
    run = await world.only_run(visitor)
    assert any(line.detail.startswith("channel_not_configured") for line in run.history)
    async with world.database.transaction(world.project_id) as tx:
        gone = await tx.execute(delete(Suppression).where(Suppression.recipient == "trace").returning(Suppression.at))
        assert gone.all() == []
