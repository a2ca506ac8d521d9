"""What happens outside starts, wakes and ends runs: events, segments, patterns and the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from adapters.postgres.engine import Database
from flows.definition import FlowDefinition, ScheduleTrigger
from flows.models import Flow, FlowOccurrence, FlowRun, FlowSchedule, FlowWatch
from flows.occurrences import set_down
from flows.ports import NOBODY, Trigger
from flows.uptake import Uptake
from flows.watching import last_turn, listen, next_turn
from insights.models import Visitor
from insights.recovery.scene import VisitScene
from insights.segments.knowledge import VisitorKnowledge
from insights.segments.membership import add_visitor, remove_visitor
from insights.segments.people import ShopPeople
from insights.segments.store import create_segment
from tests.flows.world import World, words

SEND = {"a": {"do": "send", "action": "send_email"}}


class Outside(World):
    """A world in which things happen."""

    def uptake(self) -> Uptake:
        return Uptake(
            self.database,
            knowledge=VisitorKnowledge(),
            people=ShopPeople(),
            scene=VisitScene(),
            clock=self.clock,
        )

    async def plan(self, trigger: dict[str, Any], steps: dict[str, Any] | None = None, **settings: Any) -> None:
        body = {"name": "f", "trigger": trigger, "start": "a", "steps": steps or SEND, "settings": settings}
        await self.publish(FlowDefinition.model_validate(body))

    async def happens(self, visitor: UUID, kind: str, name: str = "", **props: Any) -> None:
        key = f"event:{uuid4()}"
        held = {"name": name, "props": props} if name else props
        facts = {"event": {"type": kind, "props": held, "url": "https://shop.example/cart?x=1"}}
        await self.set_down(Trigger("event", key, key, visitor, self.clock(), facts))

    async def set_down(self, *triggers: Trigger) -> None:
        async with self.database.transaction(self.project_id) as tx:
            await set_down(tx, self.project_id, triggers, self.clock())
        await self.see_to()

    async def see_to(self) -> None:
        uptake = self.uptake()
        while await uptake.see_to_due():
            pass
        await self.drain()

    async def visitor(self) -> UUID:
        identifier = uuid4()
        async with self.database.transaction(self.project_id) as tx:
            tx.add(Visitor(project_id=self.project_id, id=identifier, first_seen_at=self.clock()))
        return identifier

    async def count(self, table: type[Any]) -> int:
        async with self.database.transaction(self.project_id) as tx:
            return int(await tx.scalar(select(func.count()).select_from(table)) or 0)


@pytest.fixture
async def world(database: Database, project_id: UUID) -> AsyncIterator[Outside]:
    yield Outside(database, project_id)


async def test_an_event_starts_the_flows_that_ask_for_it_and_no_others(world: Outside) -> None:
    await world.plan({"on": "event", "event": "custom", "name": "quiz_done", "props": {"score": 3}, "pages": ["/cart"]})
    ada, eve = uuid4(), uuid4()
    await world.happens(ada, "custom", "quiz_done", score=3)
    await world.happens(eve, "custom", "quiz_done", score=True)
    await world.happens(eve, "custom", "other", score=3)
    await world.happens(eve, "product_viewed")
    assert (await world.only_run(ada)).status == "done"
    assert await world.runs(eve) == []
    assert len(world.provider.reached) == 1
    assert await world.count(FlowOccurrence) == 0


async def test_the_same_occurrence_twice_starts_one_run(world: Outside) -> None:
    await world.plan({"on": "event", "event": "searched"}, reenter="always")
    ada = uuid4()
    trigger = Trigger("event", "event:1", "event:1", ada, world.clock(), {"event": {"type": "searched", "props": {}}})
    await world.set_down(trigger)
    await world.set_down(trigger)
    assert len(await world.runs(ada)) == 1


WAIT_FOR_CART: dict[str, Any] = {
    "a": {
        "do": "wait",
        "for": "P1D",
        "event": {"type": "cart_added", "props": {"product_id": "p1"}},
        "next": "b",
        "otherwise": "c",
    },
    "b": {"do": "exit", "reason": "came back"},
    "c": {"do": "exit", "reason": "stayed away"},
}


async def test_an_awaited_event_ends_the_wait_and_another_does_not(world: Outside) -> None:
    await world.plan({"on": "insight"}, WAIT_FOR_CART)
    ada, eve = await world.start(), await world.start()
    await world.drain()
    world.clock.now += timedelta(hours=1)
    await world.happens(ada, "cart_added", product_id="p2")
    assert (await world.only_run(ada)).status == "waiting"
    await world.happens(ada, "cart_added", product_id="p1")
    assert (await world.only_run(ada)).end_reason == "came back"
    await world.later(days=1)
    assert (await world.only_run(eve)).end_reason == "stayed away"


async def test_a_goal_ends_runs_and_says_which(world: Outside) -> None:
    await world.plan(
        {"on": "insight"},
        {"a": {"do": "wait", "for": "P1D", "next": "b"}, "b": {"do": "send", "action": "send_email"}},
        goals=[{"event": "custom", "name": "subscribed"}],
    )
    ada = await world.start()
    world.clock.now += timedelta(hours=1)
    await world.happens(ada, "custom", "subscribed")
    run = await world.only_run(ada)
    assert (run.status, run.end_reason) == ("cancelled", "goal: subscribed")
    await world.later(days=2)
    assert world.provider.reached == []


async def test_a_goal_reached_while_a_run_is_put_aside_ends_it_so_that_a_replay_sends_nothing(world: Outside) -> None:
    await world.plan({"on": "insight"}, goals=[{"event": "custom", "name": "subscribed"}])
    ada, eve = uuid4(), uuid4()
    for one in (ada, eve):
        world.composer.poison = one
        await world.start(one)
        for _ in range(5):
            await world.later(hours=1)
        assert (await world.only_run(one)).status == "dead"
    await world.happens(ada, "custom", "subscribed")
    world.composer.poison = None
    assert await world.replay((await world.only_run(ada)).id) == 0
    assert await world.replay((await world.only_run(eve)).id) == 1
    await world.drain()
    assert len(world.provider.reached) == 1
    run = await world.only_run(ada)
    assert (run.status, run.end_reason, words(run)[-1]) == ("cancelled", "goal: subscribed", "cancelled")


async def test_a_pattern_runs_for_the_shop_or_for_each_visitor_behind_it(world: Outside) -> None:
    await world.plan({"on": "pattern", "reasons": ["technical_error"], "direction": "up", "min_sessions": 5})
    facts = {"pattern": {"reason": "technical_error", "page": "/checkout", "direction": "up", "sessions": 9}}
    few = {"pattern": facts["pattern"] | {"sessions": 1}}
    ada = uuid4()
    await world.set_down(
        Trigger("pattern", "pattern:1", "pattern:1", NOBODY, world.clock(), facts),
        Trigger("pattern", "pattern:1:ada", "pattern:1:ada", ada, world.clock(), facts),
        Trigger("pattern", "pattern:2", "pattern:2", NOBODY, world.clock(), few),
    )
    assert len(await world.runs(NOBODY)) == 1
    assert await world.runs(ada) == []


async def test_who_moves_into_or_out_of_a_segment_starts_its_flow(world: Outside) -> None:
    async with world.database.transaction(world.project_id) as tx:
        await create_segment(tx, world.project_id, name="vip", description="", written=None, now=world.clock())
    await world.plan({"on": "segment", "segment": "vip", "change": "entered"}, reenter="always")
    ada = await world.visitor()
    for _ in range(2):
        async with world.database.transaction(world.project_id) as tx:
            await add_visitor(tx, world.project_id, "vip", ada, world.clock())
    await world.see_to()
    assert len(await world.runs(ada)) == 1
    async with world.database.transaction(world.project_id) as tx:
        await remove_visitor(tx, world.project_id, "vip", ada)
    await world.see_to()
    assert len(await world.runs(ada)) == 1


async def test_a_schedule_starts_a_run_for_everybody_in_its_segment_once_a_turn(
    world: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.uptake.PAGE", 3)
    async with world.database.transaction(world.project_id) as tx:
        await create_segment(tx, world.project_id, name="vip", description="", written=None, now=world.clock())
    people = [await world.visitor() for _ in range(7)]
    async with world.database.transaction(world.project_id) as tx:
        for one in people:
            await add_visitor(tx, world.project_id, "vip", one, world.clock())
    # It is Saturday noon.
    await world.plan(
        {"on": "schedule", "segment": "vip", "cron": "0 9 * * *", "zone": "Europe/Berlin"}, reenter="always"
    )
    await world.see_to()
    assert world.provider.reached == []
    for day in (1, 2):
        world.clock.now += timedelta(days=1)
        await world.see_to()
        assert [len(await world.runs(one)) for one in people] == [day] * 7
    # Nobody worked for two days: one turn is enough.
    world.clock.now += timedelta(days=2)
    await world.see_to()
    assert [len(await world.runs(one)) for one in people] == [3] * 7


async def test_of_the_turns_that_nobody_saw_to_the_last_is_made_up_for_while_it_is_young(world: Outside) -> None:
    async with world.database.transaction(world.project_id) as tx:
        await create_segment(tx, world.project_id, name="vip", description="", written=None, now=world.clock())
    ada = await world.visitor()
    async with world.database.transaction(world.project_id) as tx:
        await add_visitor(tx, world.project_id, "vip", ada, world.clock())
    daily = {"on": "schedule", "segment": "vip", "cron": "0 9 * * *", "zone": "Europe/Berlin"}
    await world.plan(daily, reenter="always", max_trigger_age="PT1H")
    # It is Saturday noon. Four mornings later somebody works again, five minutes after the turn.
    world.clock.now = datetime(2026, 11, 25, 8, 5, tzinfo=UTC)
    await world.see_to()
    async with world.database.transaction(world.project_id) as tx:
        began = list(await tx.scalars(select(FlowRun.triggered_at)))
    assert began == [datetime(2026, 11, 25, 8, tzinfo=UTC)]
    # And four days later it is noon: that morning's turn is too old.
    world.clock.now = datetime(2026, 11, 29, 11, tzinfo=UTC)
    await world.see_to()
    assert len(await world.runs(ada)) == 1
    world.clock.now = datetime(2026, 11, 30, 8, tzinfo=UTC)
    await world.see_to()
    assert len(await world.runs(ada)) == 2


@pytest.mark.parametrize(
    "trigger",
    [
        {"cron": "*/5 * * * *"},
        {"cron": "30 2 * * *", "zone": "Australia/Lord_Howe"},
        {"cron": "0 9 * * 1"},
        {"cron": "0 0 29 2 *"},
        {"every": "PT12H"},
    ],
)
@pytest.mark.parametrize("away", [0, 5, 60, 60 * 24 * 4, 60 * 24 * 40])
def test_the_last_turn_is_the_one_after_which_none_came(trigger: dict[str, str], away: int) -> None:
    rule = ScheduleTrigger.model_validate({"on": "schedule", "segment": "vip"} | trigger)
    due_at = next_turn(rule, datetime(2026, 3, 28, 12, tzinfo=UTC))
    now = due_at + timedelta(minutes=away)
    last = last_turn(rule, due_at, now)
    assert due_at <= last <= now < next_turn(rule, last)


async def test_a_paused_flow_starts_nothing_and_nothing_is_made_up_for_when_it_goes_on(world: Outside) -> None:
    async with world.database.transaction(world.project_id) as tx:
        await create_segment(tx, world.project_id, name="vip", description="", written=None, now=world.clock())
    ada = await world.visitor()
    async with world.database.transaction(world.project_id) as tx:
        await add_visitor(tx, world.project_id, "vip", ada, world.clock())
    await world.plan({"on": "schedule", "segment": "vip", "every": "PT12H"}, reenter="always")
    async with world.database.transaction(world.project_id) as tx:
        flow = (await tx.scalars(select(Flow))).one()
        version, flow.version_id = flow.version_id, None
        await tx.flush()
        await listen(tx, world.project_id, world.clock())
    assert await world.count(FlowSchedule) == 0
    world.clock.now += timedelta(days=3)
    await world.see_to()
    async with world.database.transaction(world.project_id) as tx:
        (await tx.scalars(select(Flow))).one().version_id = version
        await tx.flush()
        await listen(tx, world.project_id, world.clock())
    await world.see_to()
    assert await world.runs(ada) == []
    world.clock.now += timedelta(hours=12)
    await world.see_to()
    assert len(await world.runs(ada)) == 1


async def test_words_are_kept_while_a_run_of_an_old_version_waits_for_them(world: Outside) -> None:
    await world.plan({"on": "insight"}, WAIT_FOR_CART)
    ada = await world.start()
    await world.drain()
    await world.plan({"on": "event", "event": "searched"})

    async def heard() -> set[str]:
        async with world.database.transaction(world.project_id) as tx:
            await listen(tx, world.project_id, world.clock())
            return set(await tx.scalars(select(FlowWatch.event)))

    assert await heard() == {"cart_added", "searched"}
    world.clock.now += timedelta(hours=1)
    await world.happens(ada, "cart_added", product_id="p1")
    assert await heard() == {"searched"}


async def test_an_occurrence_that_cannot_be_seen_to_holds_up_no_other(world: Outside) -> None:
    await world.plan({"on": "event", "event": "searched"})
    ada, eve = uuid4(), uuid4()
    async with world.database.transaction(world.project_id) as tx:
        for one in (ada, eve):
            key = f"event:{one}"
            trigger = Trigger("event", key, key, one, world.clock(), {"event": {"type": "searched", "props": {}}})
            await set_down(tx, world.project_id, [trigger], world.clock())
        # A day that no message can be about: whatever reads it fails.
        await tx.execute(
            text("UPDATE flow_occurrence SET occurred_at = '9999-12-31T23:59:59+00' WHERE visitor_id = :id"),
            {"id": eve},
        )
        await tx.execute(
            text("UPDATE flow_occurrence SET occurred_at = 'infinity' WHERE visitor_id = :id"), {"id": eve}
        )
    await world.see_to()
    assert len(await world.runs(ada)) == 1
    assert await world.count(FlowOccurrence) == 1


@pytest.mark.parametrize(("rule", "runs"), [("once", 1), ("after_pause", 2), ("always", 3)])
async def test_who_was_reached_comes_in_again_as_the_flow_says(world: Outside, rule: str, runs: int) -> None:
    await world.plan({"on": "event", "event": "searched"}, reenter=rule, reentry="P7D")
    ada = uuid4()
    for days in (0, 1, 30):
        world.clock.now += timedelta(days=days)
        await world.happens(ada, "searched")
    found = await world.runs(ada)
    assert sum("accepted" in words(run) for run in found) == runs
    # What did not start says so.
    assert sum(run.end_reason == "reentry" for run in found) == 3 - runs
