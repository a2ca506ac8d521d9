"""Many runs at once: what is not sent goes on together, a flow that hangs or fails delays no other, timers are met."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from adapters.postgres.engine import Database
from flows import runner as runners
from flows.claims import RunClaims
from flows.strides import Strides
from tests.flows.hanging import ByFlow, Hanging, hanging_once_reached
from tests.flows.world import World, plan, words

CHAIN: dict[str, Any] = {
    "a": {"do": "wait", "for": "PT1H", "next": "b"},
    "b": {"do": "split", "ways": [{"weight": 1, "next": "c"}, {"weight": 1, "next": "c"}]},
    "c": {"do": "wait", "for": "PT1H", "next": "d"},
    "d": {"do": "exit", "reason": "through"},
}


@pytest.fixture
async def world(database: Database, project_id: UUID) -> AsyncIterator[World]:
    yield World(database, project_id)


async def test_runs_that_go_on_together_leave_the_same_history_as_one_by_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.publish(plan(CHAIN))

    async def histories() -> list[list[tuple[str | None, str, str]]]:
        visitors = [await world.start() for _ in range(3)]
        for _ in range(2):
            await world.later(hours=1)
        return [
            [(line.step, line.what, line.detail[:6]) for line in (await world.only_run(one)).history]
            for one in visitors
        ]

    together = await histories()

    async def nothing(self: Strides, leases: Any) -> set[UUID]:
        return set()

    monkeypatch.setattr(Strides, "take", nothing)
    assert await histories() == together
    assert [what for _, what, _ in together[0]] == [
        "started",
        "waiting",
        "waited",
        "split",
        "waiting",
        "waited",
        "ended",
    ]


async def test_what_was_cancelled_while_it_was_claimed_does_not_go_on(world: World) -> None:
    await world.publish(plan(CHAIN))
    ada, eve = await world.start(), await world.start()
    world.clock.now += timedelta(hours=1)
    claims, _ = await RunClaims(world.database).claim_runs(world.clock(), world.clock() + timedelta(minutes=1), 10)
    await world.convert(ada)
    done = await Strides(world.database, world.clock).take(claims)
    assert len(done) == 1
    assert (await world.only_run(ada)).status == "cancelled"
    assert (await world.only_run(eve)).step == "c"


async def test_a_worker_whose_lease_was_taken_over_moves_nothing_on(world: World) -> None:
    await world.publish(plan(CHAIN))
    await world.start()
    world.clock.now += timedelta(hours=1)
    late, _ = await RunClaims(world.database).claim_runs(world.clock(), world.clock() + timedelta(minutes=1), 10)
    world.clock.now += timedelta(minutes=2)
    taken_over, _ = await RunClaims(world.database).claim_runs(world.clock(), world.clock() + timedelta(minutes=1), 10)
    strides = Strides(world.database, world.clock)
    assert await strides.take(late) == set()
    assert len(await strides.take(taken_over)) == 1


async def test_a_busy_flow_is_passed_over_however_long_its_runs_have_waited(world: World) -> None:
    for name in ("poison", "good"):
        await world.publish(plan(CHAIN, name=name))
    for _ in range(20):
        await world.start()
    async with world.database.transaction(world.project_id) as tx:
        flows = {row[1]: row[0] for row in await tx.execute(text("SELECT id, name FROM flow"))}
        await tx.execute(
            text("UPDATE flow_run SET due_at = due_at - interval '1 day' WHERE flow_id = :flow"),
            {"flow": flows["poison"]},
        )
    world.clock.now += timedelta(hours=1)
    claims = RunClaims(world.database)
    until = world.clock() + timedelta(minutes=1)
    found, following = await claims.claim_runs(world.clock(), until, 8)
    assert {claim.flow_id for claim in found} == {flows["poison"]}
    assert following is None
    found, _ = await claims.claim_runs(world.clock(), until, 8, busy=[flows["poison"]])
    assert {claim.flow_id for claim in found} == {flows["good"]}


async def test_the_next_timer_is_told_once_nothing_more_is_due(world: World) -> None:
    world.clock.now -= timedelta(days=365)  # before whatever other tests left
    await world.publish(plan(CHAIN))
    await world.start()
    claims = RunClaims(world.database)
    found, following = await claims.claim_runs(world.clock(), world.clock() + timedelta(minutes=1), 10)
    assert (found, following) == ([], world.clock() + timedelta(hours=1))


@pytest.mark.parametrize("fault", ["hangs", "fails"])
async def test_a_flow_whose_sends_hang_or_fail_delays_no_other(
    world: World, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "TURNS", 8)
    monkeypatch.setattr(runners, "TURNS_OF_A_FLOW", 4)
    world.provider = provider = Hanging()
    world.composer = ByFlow()  # type: ignore[assignment]
    poison = {"a": {"do": "send", "action": "send_email", "params": {fault: True}}}
    await world.publish(plan(poison, name="poison"))
    for _ in range(60):
        await world.start()
    await world.publish(plan(poison | {"a": poison["a"] | {"params": {}}}, name="good"))
    good = [await world.start() for _ in range(10)]
    assert await hanging_once_reached(world, provider, len(good)) <= 4
    for one in good:
        by_flow = {run.flow: run for run in await world.runs(one)}
        assert "accepted" in words(by_flow["good"])


async def test_a_served_timer_is_met_without_a_notification(world: World) -> None:
    world.clock = lambda: datetime.now(UTC)  # type: ignore[assignment]
    await world.publish(
        plan({"a": {"do": "wait", "for": "PT1.3S", "next": "b"}, "b": {"do": "exit", "reason": "woken"}})
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(world.runner().serve(stop))
    ada = await world.start(uuid4())
    try:
        async with asyncio.timeout(30):
            while (await world.only_run(ada)).status != "done":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await serving
    assert (await world.only_run(ada)).end_reason == "woken"
