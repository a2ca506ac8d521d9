"""Who enters a flow and who does not, and which signals a run sees."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from adapters.postgres.engine import Database
from flows.models import FlowRun
from flows.ports import Trigger
from flows.starting import start_runs
from flows.triggers import cancel_group
from insights.segments.knowledge import VisitorKnowledge
from tests.flows.world import WAIT_THEN_SEND, World, plan, words

SEND_WAIT_SEND = {
    "a": {"do": "send", "action": "send_email", "next": "b"},
    "b": {"do": "wait", "for": "PT1H", "next": "c"},
    "c": {"do": "send", "action": "send_email"},
}
UNTIL_FIXED = {
    "a": {"do": "wait", "for": "P14D", "until": {"name": "fixed", "key": "e.f"}, "next": "b", "otherwise": "c"},
    "b": {"do": "exit", "reason": "fixed"},
    "c": {"do": "exit", "reason": "never fixed"},
}


@pytest.fixture
def world(database: Database, project_id: UUID) -> World:
    return World(database, project_id)


async def test_who_was_written_to_and_then_bought_does_not_enter_again_at_once(world: World) -> None:
    await world.publish(plan(SEND_WAIT_SEND))
    visitor = await world.start()
    await world.drain()
    assert await world.convert(visitor) == 1
    world.clock.now += timedelta(minutes=5)
    await world.start(visitor)
    assert {run.end_reason for run in await world.runs(visitor)} >= {"reentry"}


async def test_a_run_that_reached_nobody_stands_in_nobodys_way(world: World) -> None:
    world.consents.agreed = False
    await world.publish(plan({"a": {"do": "send", "action": "send_email", "params": {"consent": True}}}))
    visitor = await world.start()
    await world.drain()
    world.consents.agreed = True
    world.clock.now += timedelta(minutes=5)
    await world.start(visitor)
    await world.drain()
    assert sorted(len(run.deliveries) for run in await world.runs(visitor)) == [0, 1]


async def test_nobody_is_in_a_flow_twice_at_once(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND, reentry="PT0S"))
    visitor = await world.start()
    await world.start(visitor)
    assert sorted(run.status for run in await world.runs(visitor)) == ["cancelled", "waiting"]


async def test_after_the_pause_a_visitor_enters_again(world: World) -> None:
    await world.publish(plan(reentry="PT1H"))
    visitor = await world.start()
    await world.drain()
    world.clock.now += timedelta(hours=2)
    await world.start(visitor)
    await world.drain()
    assert [len(run.deliveries) for run in await world.runs(visitor)] == [1, 1]


async def test_a_purchase_before_the_visit_does_not_keep_a_visitor_out(world: World) -> None:
    await world.publish(plan())
    visitor = uuid4()
    await world.convert(visitor)
    world.clock.now += timedelta(hours=1)
    await world.start(visitor)
    await world.drain()
    assert (await world.only_run(visitor)).status == "done"


async def test_a_fix_between_the_visit_and_the_close_of_its_session_is_seen(world: World) -> None:
    await world.publish(plan(UNTIL_FIXED))
    world.clock.now -= timedelta(minutes=30)
    await world.signal("fixed", "x")
    world.clock.now += timedelta(minutes=30)
    visitor = await world.start(age=timedelta(hours=1))
    await world.drain()
    assert (await world.only_run(visitor)).end_reason == "fixed"


async def test_a_fix_of_last_month_is_no_news_for_who_met_the_error_today(world: World) -> None:
    await world.publish(plan(UNTIL_FIXED))
    await world.signal("fixed", "x")
    world.clock.now += timedelta(days=30)
    visitor = await world.start()
    await world.drain()
    assert (await world.only_run(visitor)).status == "waiting"
    await world.signal("fixed", "x")
    await world.drain()
    assert (await world.only_run(visitor)).end_reason == "fixed"


async def test_a_wait_whose_signal_never_comes_ends_by_its_timeout(world: World) -> None:
    await world.publish(plan(UNTIL_FIXED))
    visitor = await world.start()
    await world.drain()
    await world.later(days=15)
    assert (await world.only_run(visitor)).end_reason == "never fixed"


async def test_a_project_does_not_hear_the_signals_of_another(world: World) -> None:
    await world.publish(plan(UNTIL_FIXED))
    visitor = await world.start()
    await world.drain()
    await World(world.database, uuid4()).signal("fixed", "x")
    await world.drain()
    assert (await world.only_run(visitor)).status == "waiting"


async def test_cancelling_a_group_leaves_other_groups_alone(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    kept = await world.start(key="one")
    await world.start(key="two")
    async with world.database.transaction(world.project_id) as tx:
        assert await cancel_group(tx, world.project_id, "group:two", "superseded", world.clock()) == 1
    run = await world.only_run(kept)
    assert (run.status, words(run)) == ("waiting", ["started", "waiting"])


async def messages(world: World, visitor: UUID) -> int:
    return sum(words(run).count("accepted") for run in await world.runs(visitor))


async def test_what_was_cancelled_in_time_starts_again_when_its_group_asks_again(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start(key="one", group="visit")
    await world.cancel("visit")
    await world.start(visitor, key="two", group="visit")
    await world.drain()
    await world.later(hours=1)
    assert sorted(run.status for run in await world.runs(visitor)) == ["cancelled", "done"]
    assert await messages(world, visitor) == 1


async def test_a_group_that_was_reached_is_not_reached_again(world: World) -> None:
    await world.publish(plan(SEND_WAIT_SEND, reentry="PT0S"))
    visitor = await world.start(key="one", group="visit")
    await world.drain()
    await world.cancel("visit")
    world.clock.now += timedelta(days=60)
    await world.start(visitor, key="two", group="visit")
    await world.drain()
    assert words(await world.only_run(visitor))[-1] == "asked_again"
    assert await messages(world, visitor) == 1
    await world.start(visitor, key="three", group="another visit")
    await world.drain()
    assert await messages(world, visitor) == 2


async def test_a_run_that_goes_on_or_came_to_its_end_is_not_started_again(world: World) -> None:
    world.consents.agreed = False
    await world.publish(
        plan({"a": WAIT_THEN_SEND["a"], "b": {"do": "send", "action": "send_email", "params": {"consent": True}}})
    )
    visitor = await world.start(key="one", group="visit")
    await world.start(visitor, key="two", group="visit")
    await world.drain()
    await world.later(hours=1)
    assert (await world.only_run(visitor)).status == "done"
    await world.start(visitor, key="three", group="visit")
    run = await world.only_run(visitor)
    assert words(run).count("asked_again") == 2
    assert await messages(world, visitor) == 0


async def test_a_refusal_is_said_once_a_group(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = uuid4()
    await world.convert(visitor)
    for key in ("one", "two"):
        await world.start(visitor, key=key, group="visit", age=timedelta(minutes=1))
    assert [run.end_reason for run in await world.runs(visitor)] == ["converted"]


async def test_a_purchase_within_the_visit_ends_its_runs_and_no_others(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    await world.publish(plan(WAIT_THEN_SEND, name="another"))
    visitor = await world.start(key="one", group="visit")
    bought_at = world.clock() - timedelta(minutes=5)
    assert await world.convert(visitor, at=bought_at, group="another visit") == 0
    assert await world.convert(visitor, at=bought_at, group="visit") == 2


async def test_a_run_that_begins_with_a_wait_rests_from_the_start_and_goes_on_when_it_is_over(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start()
    assert await world.runner().run_due() == 0
    run = await world.only_run(visitor)
    assert (run.due_at, run.step) == (world.clock() + timedelta(hours=1), "a")
    await world.later(hours=1)
    run = await world.only_run(visitor)
    assert (run.status, len(run.deliveries)) == ("done", 1)
    assert words(run)[:4] == ["started", "waiting", "waited", "sending"]


async def test_triggers_that_come_together_are_as_triggers_that_come_one_by_one(world: World) -> None:
    await world.publish(plan(WAIT_THEN_SEND, max_trigger_age="PT1H"))
    visitor, buyer, other = uuid4(), uuid4(), uuid4()
    await world.convert(buyer)
    now = world.clock()

    def told(key: str, visitor_id: UUID, age: timedelta = timedelta(0)) -> Trigger:
        return Trigger("insight", key, f"group:{key}", visitor_id, now - age, {"insight": {}})

    triggers = [
        told("first", visitor),
        told("first", visitor),  # the same again
        told("second", visitor),  # and another of the same visitor
        told("bought", buyer),
        told("bought", buyer),
        told("old", other, timedelta(hours=2)),
        told("fine", other),
    ]
    async with world.database.transaction(world.project_id) as tx:
        started = await start_runs(tx, world.project_id, triggers, now, VisitorKnowledge())
    assert len(started) == 2
    runs = {run.end_reason: run for run in await world.runs(visitor)}
    assert words(runs[None]) == ["started", "waiting", "asked_again"]
    assert words(runs["reentry"]) == ["not_started"]
    assert [run.end_reason for run in await world.runs(buyer)] == ["converted"]
    assert {run.end_reason for run in await world.runs(other)} == {"too_old", None}


async def test_a_run_that_begins_with_the_exit_is_over_at_once(world: World) -> None:
    await world.publish(plan({"a": {"do": "exit", "reason": "nothing_to_do"}}))
    visitor = await world.start()
    assert await world.runner().run_due() == 0
    run = await world.only_run(visitor)
    assert (run.status, run.end_reason, words(run)) == ("done", "nothing_to_do", ["started", "ended"])


async def test_a_run_that_begins_by_waiting_for_a_signal_hears_it_without_a_workers_look(world: World) -> None:
    await world.publish(plan(UNTIL_FIXED))
    visitor = await world.start()
    assert await world.runner().run_due() == 0
    assert await world.signal("fixed", "x") == 1
    await world.drain()
    assert (await world.only_run(visitor)).end_reason == "fixed"


async def test_a_run_goes_by_newer_facts_until_it_has_sent_something(world: World) -> None:
    await world.publish(plan(SEND_WAIT_SEND))
    await world.publish(plan(WAIT_THEN_SEND, name="silent so far"))
    visitor = await world.start(key="one", group="visit")
    await world.drain()
    first = world.clock()
    world.clock.now += timedelta(minutes=5)
    await world.start(visitor, key="two", group="visit")
    async with world.database.transaction(world.project_id) as tx:
        rows = await tx.execute(select(FlowRun.step, FlowRun.triggered_at).where(FlowRun.visitor_id == visitor))
        assert {row.step: row.triggered_at for row in rows} == {"b": first, "a": world.clock()}
