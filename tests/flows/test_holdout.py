"""Whose sends are held back: the gate asks, the run says so, and all that is no message goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Retry
from adapters.postgres.engine import Database
from flows.store import RunView
from tests.flows.world import Provider, World, plan, words


@dataclass
class Held:
    """Holds these back, from this action."""

    visitors: set[UUID] = field(default_factory=set)
    action: str = "send_email"

    async def holds_back(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID, action: str) -> bool:
        return visitor_id in self.visitors and action == self.action

    def is_of(self, action: str) -> bool:
        return action == self.action


@pytest.fixture
def world(database: Database, project_id: UUID) -> World:
    return World(database, project_id)


async def drained(world: World, held: Held, visitor: UUID) -> RunView:
    runner = world.runner(holdout=held)
    while await runner.run_due():
        pass
    return await world.only_run(visitor)


def skipped(run: RunView) -> list[str]:
    return [line.detail.partition(":")[0] for line in run.history if line.what == "skipped"]


async def test_nothing_goes_to_who_is_held_out_and_the_run_says_so(world: World) -> None:
    await world.publish(plan())
    held, other = await world.start(), await world.start()
    run = await drained(world, Held({held}), held)
    assert skipped(run) == ["held_out"]
    assert run.deliveries == []
    assert run.status == "done"
    (sent,) = (await world.only_run(other)).deliveries
    assert sent.status == "accepted"
    assert world.provider.reached == [str(sent.id)]


async def test_what_is_no_message_is_done_for_them_as_for_anybody(world: World) -> None:
    steps = {
        "a": {"do": "send", "action": "send_email", "next": "b"},
        "b": {"do": "send", "action": "create_ticket"},
    }
    await world.publish(plan(steps))
    held = await world.start()
    run = await drained(world, Held({held}), held)
    assert [delivery.action for delivery in run.deliveries] == ["create_ticket"]
    assert words(run)[-3:] == ["sending", "accepted", "ended"]


async def test_who_would_not_have_got_it_anyway_is_not_counted_as_held_out(world: World) -> None:
    await world.publish(plan({"a": {"do": "send", "action": "send_email", "params": {"consent": True}}}))
    world.consents.agreed = False
    held = await world.start()
    assert skipped(await drained(world, Held({held}), held)) == ["no_consent"]


async def test_a_message_that_is_tried_again_does_not_go_out_once_they_are_held_out(
    database: Database, project_id: UUID
) -> None:
    world = World(database, project_id, Provider(script=[Retry("busy")]))
    await world.publish(plan())
    visitor, held = await world.start(), Held()
    await drained(world, held, visitor)
    held.visitors.add(visitor)
    world.clock.now += timedelta(hours=1)
    run = await drained(world, held, visitor)
    assert skipped(run) == ["held_out"]
    assert [delivery.status for delivery in run.deliveries] == ["rejected"]
    assert len(world.provider.reached) == 1
