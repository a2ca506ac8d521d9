"""Templates that take all the time they may: who else has work meanwhile is served first."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from flows.runner import Runner
from flows.store import list_runs, publish
from insights.conditions.fields import FIELDS
from insights.models import Project
from insights.recovery.bounded_liquid import LONGEST_SECONDS
from insights.recovery.compose import MessageComposer
from insights.recovery.message_render import MessageBroken, MessageTemplates
from insights.recovery.rendering import Rendering
from insights.segments.knowledge import VisitorKnowledge
from tests.api.conftest import Api, api
from tests.building.test_refused import sends
from tests.flows.world import Provider, World, plan
from tests.recovery.test_compose import SECRET
from tests.recovery.visitors import visitor

__all__ = ["api"]

ENDLESS = (
    "{% capture page %}{% for i in (1..100) %}" + "xy" * 500 + "{% endfor %}{% endcapture %}"
    "{% for i in (1..1800) %}{{ page | split: 'y' | sort | join: 'y' | upcase | size }}{% endfor %}"
)
"""Goes on until its time is over."""


class Phone(Provider):
    """A provider of text messages."""

    name = "sms"


class Agreed:
    """Everybody agreed to text messages."""

    async def facts(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> Mapping[str, Any]:
        return {"consent": {"sms": True}, "visitor": {"time_zone": None}}


def texting(text: str) -> Any:
    return plan({"a": {"do": "send", "action": "send_sms", "params": {"text": text}}})


async def test_another_projects_text_is_ready_before_one_that_loops() -> None:
    rendering = Rendering(MessageTemplates())
    looping = asyncio.create_task(rendering.texts(uuid4(), [ENDLESS], {}))
    await asyncio.sleep(0)
    assert await rendering.texts(uuid4(), ["Hello {{ who }}", "Bye"], {"who": "Ada"}) == ["Hello Ada", "Bye"]
    assert not looping.done()
    with pytest.raises(MessageBroken, match="too long"):
        await looping


class SlowAtFirst:
    """A value that takes more than a template's time to write out, once."""

    asked = 0

    def __str__(self) -> str:
        self.asked += 1
        until = time.thread_time() + (LONGEST_SECONDS if self.asked == 1 else 0)
        while time.thread_time() <= until:
            pass
        return "Ada"


async def test_a_message_that_is_slow_once_is_sent() -> None:
    who = SlowAtFirst()
    said = await Rendering(MessageTemplates()).texts(
        uuid4(), ["Hello {{ who }}, {{ what }}"], {"who": who, "what": "hi"}
    )
    assert (said, who.asked) == (["Hello Ada, hi"], 2)


async def test_of_a_project_one_thing_is_rendered_at_a_time_and_of_two_projects_two() -> None:
    rendering, one, other = Rendering(MessageTemplates()), uuid4(), uuid4()
    inside, most = 0, 0
    both = threading.Barrier(2)

    def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        both.wait(60)  # for the other project's: alone nobody gets on
        inside -= 1

    def of_the_other() -> None:
        both.wait(60)

    await asyncio.gather(
        *(rendering.beside(one, work) for _ in range(3)), *(rendering.beside(other, of_the_other) for _ in range(3))
    )
    assert (inside, most) == (0, 1)


async def test_a_run_is_done_while_messages_of_another_project_loop(database: Database, project_id: UUID) -> None:
    other = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=other, name=f"shop-{other}", allowed_origins=[]))
    composer = MessageComposer(
        public_url="https://whyleft.example", shop_url="https://shop.example/", signing_secret=SECRET
    )
    slow, quick = World(database, project_id, Phone()), World(database, other, Phone())
    agreed: dict[str, Any] = {"phone": "+4915112345678", "consent": {"marketing": True, "channels": ["sms"]}}
    for world, text, runs in ((slow, ENDLESS, 14), (quick, "{{ shop }} {{ link }}", 1)):
        async with database.transaction(world.project_id) as tx:
            await publish(tx, world.project_id, texting(text), world.clock(), {"send_sms"}, FIELDS)
        for _ in range(runs):
            await world.start(await visitor(database, world.project_id, **agreed))
    phone = Phone()
    ended_before: list[UUID] = []

    async def sent() -> None:
        async with database.transaction(project_id) as tx:
            ended_before.extend(run.id for run in await list_runs(tx, project_id) if run.status == "done")

    phone.on_send = sent
    runner = Runner(
        database,
        channels={"sms": phone},
        composer=composer,
        facts=Agreed(),
        knowledge=VisitorKnowledge(),
        clock=slow.clock,
    )
    assert await runner.run_due() == 15
    assert len(phone.reached) == 1
    # It was claimed last. Had it waited for a place among theirs, five of them would have ended first.
    assert len(ended_before) < 5
    async with database.transaction(project_id) as tx:
        ended = await list_runs(tx, project_id)
    assert [[line.what for line in run.history] for run in ended] == [["started", "skipped", "ended"]] * 14
    assert all("takes too long" in run.history[1].detail for run in ended)


async def test_requests_are_answered_while_a_step_that_loops_is_sent_to_oneself(api: Api) -> None:
    asked = {"definition": sends("send_sms", text=ENDLESS), "step": "it", "to": "+4915112345678"}
    looping = asyncio.create_task(api.client.post("/v1/flows/test-send", headers=api.headers, json=asked))
    rendering, answered_meanwhile = api.services.composer.rendering, 0
    while not looping.done():
        under_way = len(rendering._lines)
        answer = await api.client.get("/v1/deliveries", headers=api.headers)
        assert answer.status_code == 200
        answered_meanwhile += under_way > 0 and not looping.done()
    assert "takes too long" in (await looping).text
    assert answered_meanwhile
