"""An erasure names everything that the person's data was handed to, the server's own ways out among it."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from sqlalchemy import insert
from standardwebhooks.webhooks import Webhook

from adapters.channels.line import Line
from adapters.channels.webhook import WebhookChannel
from flows.models import Delivery
from insights.channels.erasing import PAUSES, REMOVED
from insights.channels.store import remove
from insights.channels.ways import ProjectChannels
from insights.models import Insight
from insights.privacy import elsewhere, handed_over
from insights.privacy.requests import ask, carry_out
from insights.vocabulary.ids import uuid7
from tests.channels.contract.far_side import Reply
from tests.privacy.world import EMAIL, KEY, SEALER, World

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n"
HOOK = {"url": "https://hooks.shop.example/erase"}


async def send(world: World, visitor: UUID, channel: str, channel_id: UUID | None = None) -> None:
    """A message that went out once."""
    row = {
        "project_id": world.project_id, "id": uuid4(), "run_id": uuid4(), "step": "mail", "action": "send_email",
        "visitor_id": visitor, "channel": channel, "channel_id": channel_id, "recipient": EMAIL, "content": {},
        "dedupe_key": str(uuid4()), "status": "accepted", "attempts": 1, "created_at": world.now,
    }  # fmt: skip
    async with world.database.transaction(world.project_id) as tx:
        await tx.execute(insert(Delivery).values(row))


async def understand(world: World, visitor: UUID, classifier: str) -> None:
    row = {
        "project_id": world.project_id, "id": uuid7(), "session_id": uuid7(), "visitor_id": visitor,
        "kind": "abandoned", "reason": "unclear", "confidence": 0.5, "narrative": "They left.", "evidence": [],
        "suggested_actions": [], "classifier": classifier, "timeline_hash": "", "created_at": world.now,
    }  # fmt: skip
    async with world.database.transaction(world.project_id) as tx:
        await tx.execute(insert(Insight).values(row))


async def test_the_servers_own_ways_out_stand_in_the_report_where_they_carried_something(world: World) -> None:
    ours, others = uuid4(), uuid4()
    for channel in ("email", "email", "ticket"):
        await send(world, ours, channel)
    await send(world, others, "webhook")
    await understand(world, ours, "llm:some-model:7")
    await world.erase(visitors=[str(ours)])
    found = {kind: (row.name, row.status, row.said, row.who) for kind, row in (await world.report()).items()}
    assert found == {
        "email": ("server email", "by_hand", handed_over.SERVERS_RELAY, {}),
        "ticket": ("server ticket", "nameless", handed_over.TICKETS, {}),
        "model": ("language model", "nameless", handed_over.MODEL, {}),
    }
    async with world.database.transaction(world.project_id) as tx:
        row = (await world.report())["email"]
        done = await elsewhere.resolve(tx, world.project_id, row.id, "done", "Ada", world.now)
        assert (done.status, done.said) == ("done", "Done by hand, says Ada.")


async def test_whoever_was_handed_nowhere_has_an_empty_report(world: World) -> None:
    visitor = uuid4()
    await understand(world, visitor, "evidence-2")
    await world.erase(visitors=[str(visitor)])
    assert await world.report() == {}


async def test_the_servers_webhook_is_told_by_the_same_call_as_a_projects(world: World) -> None:
    visitor = uuid4()
    await send(world, visitor, "webhook")
    await world.erase(visitors=[str(visitor)])
    row = (await world.report())["webhook"]
    assert (row.status, row.channel_id, row.who["visitors"]) == ("waiting", None, [str(visitor)])

    hook = WebhookChannel(f"http://127.0.0.1:{world.far.port}/hook", secret=SECRET, allow_private=True)
    world.ways = ProjectChannels({"webhook": hook}, SEALER, Line())
    world.far.replies["POST /hook"] = Reply(503)
    assert await world.turn() == 1
    assert (await world.report())["webhook"].status == "waiting"
    world.far.replies["POST /hook"] = Reply(204)
    assert await world.turn(PAUSES[0]) == 1
    first, second = world.far.arrived
    assert Webhook(SECRET).verify(second.body, second.headers) == {
        "type": "person.erase",
        "data": {"emails": [EMAIL], "visitors": [str(visitor)]},
    }
    assert first.headers["webhook-id"] == second.headers["webhook-id"], "the receiver knows a repeat"
    row = (await world.report())["webhook"]
    assert (row.status, row.who) == ("done", {})
    assert "person.erase" in row.said


async def test_a_webhook_of_the_server_that_is_gone_is_left_to_a_person(world: World) -> None:
    visitor = uuid4()
    await send(world, visitor, "webhook")
    await world.erase(visitors=[str(visitor)])
    assert await world.turn() == 0
    row = (await world.report())["webhook"]
    assert (row.status, row.said, row.who) == ("by_hand", REMOVED, {})


async def test_a_channel_that_was_removed_before_is_named(world: World) -> None:
    visitor = uuid4()
    await world.connect("klaviyo", {}, KEY)
    await send(world, visitor, "esp", world.channels["klaviyo"])
    async with world.database.transaction(world.project_id) as tx:
        await remove(tx, world.project_id, world.channels["klaviyo"])
    await world.erase(visitors=[str(visitor)])
    [row] = (await world.report()).values()
    assert (row.name, row.status, row.said) == ("removed esp", "by_hand", handed_over.REMOVED)
    assert row.channel_id == world.channels["klaviyo"]


async def test_who_is_known_by_no_name_is_known_to_a_webhook_by_the_visitors_id(world: World) -> None:
    visitor = uuid4()
    await world.connect("webhook", HOOK, {"secret": SECRET})
    await world.connect("klaviyo", {}, KEY)
    await world.connect("segment", {}, {"write_key": "write-key-1", "public_api_token": "token-1234"})
    await world.erase(visitors=[str(visitor)])
    assert await world.turn() == 2
    [call] = world.far.arrived
    assert call.host == "hooks.shop.example"
    assert json.loads(call.body) == {"type": "person.erase", "data": {"visitors": [str(visitor)]}}
    found = await world.report()
    assert (found["klaviyo"].status, found["webhook"].status) == ("done", "done")
    assert found["segment"].status == "by_hand"
    assert "anonymous ids" in found["segment"].said


async def test_a_shop_that_goes_is_told_where_its_customers_data_lies(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    await world.connect("braze", {"instance": "rest.fra-01.braze.eu", "erase": False}, {"api_key": "braze-123456"})
    await send(world, uuid4(), "email")
    async with world.database.transaction(world.project_id) as tx:
        await ask(tx, world.project_id, "erase_shop", {}, "shopify shop/redact", world.now)
    assert await carry_out(world.database, lambda _project, _visitor: None) == 1
    found = {kind: (row.status, row.said) for kind, row in (await world.report()).items()}
    assert found == {
        "klaviyo": ("by_hand", elsewhere.EVERYBODY),
        "braze": ("kept", elsewhere.KEPT),
        "email": ("by_hand", handed_over.SERVERS_RELAY),
    }
