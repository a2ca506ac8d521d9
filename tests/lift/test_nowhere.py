"""Somebody held out gets nothing anywhere: no action in the shop, no message after it, on none of their devices."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from adapters.channels.recording import RecordingChannel
from adapters.postgres.engine import DatabaseUrls
from flows.bounds import salt_of
from flows.chance import held_out
from flows.definition import FlowDefinition
from flows.ports import NOBODY, Trigger
from flows.starting import start_runs
from flows.store import RunView, list_runs, publish
from insights.conditions.fields import FIELDS
from insights.decisions.plan import Plan
from insights.lift.people import Person
from insights.lift.read import OfFlow, read_people
from insights.models import Decision, DiscountCode, Shop
from insights.plans.holdout import PeopleHeldOut
from insights.plans.shop import change_shop
from insights.segments.knowledge import VisitorKnowledge
from insights.settings import Settings
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.ids import uuid7
from insights.wiring.services import Services
from tests.channels.servers import MailServer, mail_server
from tests.process import running

SHARE = 0.5
CART = {"product_id": "moka", "category": "brewers", "price_minor": 2900, "quantity": 1, "currency": "EUR"}
MAIL = FlowDefinition.model_validate(
    {
        "name": "come back",
        "trigger": {"on": "insight"},
        "start": "a",
        "steps": {
            "a": {
                "do": "send",
                "action": "send_email",
                "params": {"message": "cart_reminder", "discount_percent": 10},
            }
        },
        "settings": {},
    }
)


_many = [uuid4() for _ in range(100)]


@dataclass
class World:
    """A shop that holds half of the people out, with its door, its runner and its mail server."""

    services: Services
    client: httpx.AsyncClient
    mails: MailServer
    project_id: UUID
    key: str
    plan: Plan

    def visitor(self, *, held_out: bool) -> UUID:
        """A new visitor who, alone, is or is not held out."""
        return next(one for one in iter(uuid4, None) if self.plan.holds_out(one) is held_out)

    async def send(self, visitor: UUID, session: UUID, *events: tuple[str, dict[str, Any]]) -> Any:
        now = int(time.time() * 1000)
        batch = {
            "visitor": str(visitor),
            "session": str(session),
            "tab": "t",
            "page": {"url": "https://shop.example/cart"},
            "events": [
                {"id": str(uuid7(now)), "t": now + n, "seq": n, "type": kind, "props": props}
                for n, (kind, props) in enumerate(events)
            ],
        }
        answer = await self.client.post("/v1/events", params={"key": self.key}, json=batch)
        assert answer.status_code == 200, answer.text
        return answer.json()["action"]

    async def shops(self, visitor: UUID, name: str) -> Any:
        """They log in, put something in the cart, and are about to leave: what they are shown."""
        session = uuid7()
        consent = ("consent_changed", {"marketing": True, "analytics": True})
        await self.send(visitor, session, ("page_viewed", {"path": "/"}), consent)
        await self.send(visitor, session, ("identified", {"user_id": name, "email": f"{name}@example.com"}))
        await self.send(visitor, session, ("cart_added", CART))
        return await self.send(visitor, session, ("exit_intent", {"kind": "pointer"}))

    async def is_written_to(self, visitor: UUID, kind: str = "insight") -> RunView:
        """An insight about them starts the flow: what came of it."""
        identifier = uuid4()
        facts = {"insight": {"id": str(identifier)}, "session": {}, "cart": {"items": []}, "products": []}
        facts |= {"pattern": {"reason": "technical_error", "direction": "up", "sessions": 9}}
        trigger = Trigger(kind, f"{kind}:{identifier}", f"s:{identifier}", visitor, datetime.now(UTC), facts)
        async with self.services.database.transaction(self.project_id) as tx:
            await start_runs(tx, self.project_id, [trigger], datetime.now(UTC), VisitorKnowledge())
        while await self.services.runner.run_due():
            pass
        async with self.services.database.transaction(self.project_id) as tx:
            (run,) = await list_runs(tx, self.project_id, visitor_id=visitor)
        return run

    async def people(self, flow: OfFlow | None = None) -> list[Person]:
        """Whom the lift is measured by."""
        async with self.services.database.transaction(self.project_id) as tx:
            return (await read_people(tx, self.project_id, datetime.now(UTC), flow=flow)).people()

    async def publishes(self, **changes: Any) -> OfFlow:
        """The flow changes to this; returns it as its own lift is asked for."""
        definition = FlowDefinition.model_validate(MAIL.model_dump(mode="json", by_alias=True) | changes)
        async with self.services.database.transaction(self.project_id) as tx:
            actions = [action.value for action in RecoveryAction]
            version = await publish(tx, self.project_id, definition, datetime.now(UTC), actions, FIELDS)
            return OfFlow(version.flow_id, definition.settings.holdout, datetime.now(UTC) - timedelta(days=1))

    async def one_of_each(self, flow: OfFlow) -> list[tuple[bool, bool, UUID]]:
        """Whether the shop's holdout has them, whether the flow's own has, and who: one of each kind."""
        async with self.services.database.transaction(self.project_id) as tx:
            salt = await salt_of(tx, self.project_id, flow.flow_id)
        kinds = {(self.plan.holds_out(one), held_out(MAIL.name, salt, SHARE, one)): one for one in _many}
        return [(*kind, one) for kind, one in sorted(kinds.items())]


@pytest.fixture
async def world(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[World]:
    async with mail_server() as mails:
        settings = Settings(data_dir=tmp_path, smtp_url=mails.url, shop_url="https://shop.example/")
        async with running(settings, database_urls) as process:
            now, project_id = datetime.now(UTC), process.project_id
            async with process.services.database.transaction(project_id) as tx:
                shop = await change_shop(tx, project_id, {"holdout": SHARE}, now)
                plan = Plan(salt=shop.salt.bytes, holdout=SHARE)
                await publish(tx, project_id, MAIL, now, [action.value for action in RecoveryAction], FIELDS)
            yield World(process.services, process.client, mails, project_id, process.write, plan)


async def test_somebody_held_out_gets_neither_action_nor_message_on_any_device(world: World) -> None:
    first, second = world.visitor(held_out=True), world.visitor(held_out=False)
    assert await world.shops(first, "ada") is None
    # Alone, this device would be spoken to; it turns out to be Ada's.
    assert await world.shops(second, "ada") is None
    for device in (first, second):
        run = await world.is_written_to(device)
        assert run.deliveries == []
        assert [line.detail.partition(":")[0] for line in run.history if line.what == "skipped"] == ["held_out"]
    assert world.mails.recipients == []
    async with world.services.database.transaction(world.project_id) as tx:
        decisions = (await tx.scalars(select(Decision).where(Decision.project_id == world.project_id))).all()
        codes = (await tx.scalars(select(DiscountCode).where(DiscountCode.project_id == world.project_id))).all()
    assert {decision.action for decision in decisions} == {"do_nothing"}
    assert {decision.policy for decision in decisions} == {"holdout"}
    assert codes == []
    (person,) = await world.people()
    assert (person.held_out, person.action) == (True, "cart_save")


async def test_somebody_who_is_not_held_out_is_spoken_to_on_every_device(world: World) -> None:
    first, second = world.visitor(held_out=False), world.visitor(held_out=True)
    assert (await world.shops(first, "bob"))["action"] == "cart_save"
    # Shown a moment ago on the other device: the caps hold, the holdout does not.
    await world.shops(second, "bob")
    async with world.services.database.transaction(world.project_id) as tx:
        policies = set(await tx.scalars(select(Decision.policy).where(Decision.project_id == world.project_id)))
    assert policies == {"rules-1"}
    assert (await world.is_written_to(second)).deliveries[0].status == "accepted"
    assert world.mails.recipients == ["bob@example.com"]
    (person,) = await world.people()
    assert (person.held_out, person.action) == (False, "cart_save")


async def test_a_message_held_back_is_a_moment_like_one_that_went_out(world: World) -> None:
    held, other = world.visitor(held_out=True), world.visitor(held_out=False)
    consent = ("consent_changed", {"marketing": True, "analytics": True})
    for visitor, name in ((held, "cleo"), (other, "dora")):
        identified = ("identified", {"user_id": name, "email": f"{name}@example.com"})
        await world.send(visitor, uuid7(), consent, identified)
        await world.is_written_to(visitor)
    found = {person.held_out: person.action for person in await world.people()}
    assert found == {True: "send_email", False: "send_email"}


async def test_only_what_may_reach_a_visitor_is_held_back(world: World) -> None:
    held, other, port = world.visitor(held_out=True), world.visitor(held_out=False), PeopleHeldOut()
    async with world.services.database.transaction(world.project_id) as tx:
        back = {action for action in RecoveryAction if await port.holds_back(tx, world.project_id, held, action)}
        assert not any([await port.holds_back(tx, world.project_id, other, action) for action in RecoveryAction])
    assert back == {"send_email", "send_sms", "send_push", "show_popup", "trigger_retargeting", "call_webhook"}


POPUP = {
    "action": "cart_save",
    "template": "card",
    "content": {"default": {"title": "Welcome back", "body": "Your cart is here.", "cta_label": "Go", "cta_href": "/"}},
}
OWN_HOLDOUT = {"holdout": SHARE}


def skips(run: RunView) -> list[str]:
    return [line.detail.partition(":")[0] for line in run.history if line.what == "skipped"]


@pytest.mark.parametrize(
    "step",
    [
        {"action": "send_email", "params": {"message": "cart_reminder"}},
        {"action": "show_popup", "params": POPUP},
        {"action": "call_webhook"},
    ],
    ids=lambda step: step["action"],
)
async def test_all_to_whom_something_would_have_been_done_count_whatever_a_flow_holds_back_itself(
    world: World, step: dict[str, Any]
) -> None:
    ways: Any = world.services.channels
    ways.servers = {**ways.servers, "webhook": RecordingChannel("webhook")}
    flow = await world.publishes(steps={"a": {"do": "send"} | step}, settings=OWN_HOLDOUT)
    consent, came = ("consent_changed", {"marketing": True, "analytics": True}), {}
    for of_shop, of_flow, visitor in await world.one_of_each(flow):
        identified = ("identified", {"user_id": visitor.hex, "email": f"{visitor.hex}@example.com"})
        await world.send(visitor, uuid7(), consent, identified)
        came[of_shop, of_flow] = skips(await world.is_written_to(visitor))
    assert came == {
        (False, False): [],
        (False, True): ["flow_holdout"],
        (True, False): ["held_out"],
        (True, True): ["held_out"],
    }
    # Of all four the same would have been done: were one kind left out on one side, the groups would not fit.
    everybody = [(person.held_out, person.action) for person in await world.people()]
    assert sorted(everybody) == [(False, step["action"])] * 2 + [(True, step["action"])] * 2
    own = [(person.held_out, person.action) for person in await world.people(flow)]
    assert sorted(own) == [(False, step["action"])] + [(True, step["action"])] * 3


async def test_what_a_flow_does_for_the_shop_itself_is_never_held_back_and_is_nobodys_moment(world: World) -> None:
    ways: Any = world.services.channels
    webhook = RecordingChannel("webhook")
    ways.servers = {**ways.servers, "webhook": webhook}
    salt = next(one for one in iter(uuid4, None) if Plan(salt=one.bytes, holdout=SHARE).holds_out(NOBODY))
    async with world.services.database.transaction(world.project_id) as tx:
        await tx.execute(update(Shop).where(Shop.project_id == world.project_id).values(salt=salt))
    told = {"a": {"do": "send", "action": "call_webhook"}}
    await world.publishes(trigger={"on": "pattern", "each": "shop"}, steps=told, settings={"holdout": 0.9})
    run = await world.is_written_to(NOBODY, "pattern")
    assert (skips(run), [one.status for one in run.deliveries]) == ([], ["accepted"])
    assert await world.people() == []
