"""An erasure reaches the connected providers: each is asked, tried again and reported, and none is asked in vain."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, text, update

from adapters.channels.line import Line
from adapters.postgres.personal import Ring, put_ring
from insights.channels.erasing import PAUSES, REMOVED
from insights.channels.store import Wanted, change, remove
from insights.channels.ways import ProjectChannels
from insights.errors import NotFound, Refused
from insights.models import IdentityLink, ProviderErasure
from insights.privacy import elsewhere
from insights.privacy.elsewhere import NAMES_KEPT, forget_names, resolve
from tests.channels.contract.far_side import Reply
from tests.privacy.world import EMAIL, JOB, KEY, PHONE, SEALER, World


async def test_every_name_of_all_their_devices_reaches_the_provider_once(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    await world.erase()
    assert await world.turn() == 1
    said = " ".join(call.body.decode() + call.target for call in world.far.arrived)
    for word in (EMAIL, PHONE, "1815", "01P"):
        assert word in said
    row = (await world.report())["klaviyo"]
    assert (row.status, row.who, row.due_at, row.attempts) == ("done", {}, None, 1)
    before = len(world.far.arrived)
    assert await world.turn(timedelta(days=9)) == 0
    assert len(world.far.arrived) == before


async def test_what_the_customer_said_elsewhere_is_a_name_too(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    async with world.database.transaction(world.project_id) as tx:
        await tx.execute(
            insert(IdentityLink).values(
                project_id=world.project_id, subject_kind="user_id", subject="1815", name_kind="email",
                name="work@hidden.example", first_at=world.now,
                event_id=uuid4(),
            )
        )  # fmt: skip
    await world.erase()
    await world.turn()
    assert any("work@hidden.example" in call.body.decode() for call in world.far.arrived)


async def test_what_scripts_call_everybody_is_nobodys_name(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    await world.erase(user_id="guest", email=EMAIL)
    who = (await world.report())["klaviyo"].who
    assert (who["emails"], who["phones"], who["user_ids"]) == ([EMAIL], [PHONE], [])


async def test_the_names_stand_sealed_until_the_provider_was_asked(world: World) -> None:
    put_ring(world.database.engine.dialect, Ring([b"r" * 32]))
    await world.connect("klaviyo", {}, KEY)
    await world.erase()
    row = (await world.report())["klaviyo"]
    assert {**row.who, "visitors": len(row.who["visitors"])} == {
        "emails": [EMAIL],
        "phones": [PHONE],
        "user_ids": ["1815"],
        "visitors": 2,
    }
    async with world.database.transaction(world.project_id) as tx:
        stored = await tx.scalar(text("SELECT string_agg(t::text, ' ') FROM provider_erasure t"))
    assert "zyxomma" not in stored
    assert "77701" not in stored


async def test_each_channel_has_a_line_in_the_report_whatever_came_of_it(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    await world.connect("slack", {"channel": "C0123456789"}, {"bot_token": "xoxb-123456789"})
    await world.connect("braze", {"instance": "rest.fra-01.braze.eu", "erase": False}, {"api_key": "braze-123456"})
    await world.connect("shopify", {"shop": "shop.myshopify.com"}, {"access_token": "shpat_123456"})
    await world.connect("resend", {"sender": "a@shop.example"}, {"api_key": "re_123456789"}, enabled=False)
    world.far.replies["DELETE /contacts/"] = Reply(404, {"name": "not_found"})
    await world.erase(asked_by="shopify customers/redact")
    await world.turn()
    found = {kind: (row.status, row.said) for kind, row in (await world.report()).items()}
    assert found["klaviyo"][0] == "done"
    assert found["slack"][0] == "by_hand"
    assert "search the tracker" in found["slack"][1]
    assert found["braze"] == ("kept", elsewhere.KEPT)
    assert found["shopify"] == ("done", elsewhere.ASKED_ITSELF)
    assert found["resend"] == ("done", "It knew nobody by these names.")
    assert not [call for call in world.far.arrived if "braze" in call.host or "myshopify" in call.host]


async def test_a_provider_that_is_away_is_asked_again_and_then_needs_a_human(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    world.far.replies[JOB] = Reply(503, {"errors": []}, {"Retry-After": "400"})
    await world.erase()
    assert await world.turn() == 1
    row = (await world.report())["klaviyo"]
    assert (row.status, row.attempts) == ("waiting", 1)
    assert row.due_at is not None
    assert row.due_at - world.now == timedelta(seconds=400), "its own wish, where that is longer"
    for pause in PAUSES[1:]:
        assert await world.turn(timedelta(seconds=30)) == 0, "not before its time"
        assert await world.turn(max(pause, timedelta(seconds=400))) == 1
    assert await world.turn(PAUSES[-1]) == 1
    row = (await world.report())["klaviyo"]
    assert (row.status, row.attempts, row.due_at) == ("failed", len(PAUSES) + 1, None)
    assert "later" in row.said
    assert await world.turn(timedelta(days=30)) == 0
    # A person mends it and asks again.
    world.far.replies[JOB] = Reply(202, b"")
    async with world.database.transaction(world.project_id) as tx:
        await resolve(tx, world.project_id, row.id, "retry", "Ada", world.now)
    assert await world.turn() == 1
    assert (await world.report())["klaviyo"].status == "done"


async def test_a_provider_that_says_no_for_good_needs_a_human_at_once(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    world.far.replies[JOB] = Reply(400, {"errors": [{"detail": "Invalid phone number"}]})
    await world.erase()
    await world.turn()
    row = (await world.report())["klaviyo"]
    assert row.status == "failed"
    assert "Invalid phone number" in row.said
    async with world.database.transaction(world.project_id) as tx:
        done = await resolve(tx, world.project_id, row.id, "done", "Ada", world.now)
        assert (done.status, done.who, done.said) == ("done", {}, "Done by hand, says Ada.")
    async with world.database.transaction(world.project_id) as tx:
        with pytest.raises(Refused, match="this erasure is done"):
            await resolve(tx, world.project_id, row.id, "retry", "Ada", world.now)
        with pytest.raises(NotFound):
            await resolve(tx, world.project_id, uuid4(), "done", "Ada", world.now)


async def test_the_names_of_a_failed_erasure_are_forgotten_in_time(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    world.far.replies[JOB] = Reply(400, {})
    await world.erase()
    await world.turn()
    row = (await world.report())["klaviyo"]
    assert row.who
    async with world.database.transaction(world.project_id) as tx:
        await forget_names(tx, world.project_id, world.now + NAMES_KEPT - timedelta(hours=1))
    assert (await world.report())["klaviyo"].who
    async with world.database.transaction(world.project_id) as tx:
        await forget_names(tx, world.project_id, world.now + NAMES_KEPT + timedelta(hours=1))
    assert (await world.report())["klaviyo"].who == {}
    async with world.database.transaction(world.project_id) as tx:
        with pytest.raises(Refused, match="not kept any more"):
            await resolve(tx, world.project_id, row.id, "retry", "Ada", world.now)


async def test_changed_credentials_hold_from_the_next_attempt_on(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    world.far.replies[JOB] = Reply(401, {"errors": [{"detail": "bad key"}]})
    await world.erase()
    await world.turn()
    assert (await world.report())["klaviyo"].status == "waiting"
    async with world.database.transaction(world.project_id) as tx:
        wanted = Wanted(credentials={"private_key": "pk_the_new_one"})
        await change(tx, SEALER, world.project_id, world.channels["klaviyo"], wanted, world.now)
    world.far.replies[JOB] = Reply(202, b"")
    await world.turn(timedelta(hours=1))
    assert world.far.arrived[-1].headers["authorization"].endswith("pk_the_new_one")
    assert (await world.report())["klaviyo"].status == "done"


async def test_a_channel_that_was_removed_meanwhile_is_said_so(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    await world.erase()
    async with world.database.transaction(world.project_id) as tx:
        await remove(tx, world.project_id, world.channels["klaviyo"])
    await world.turn()
    row = (await world.report())["klaviyo"]
    assert (row.status, row.said, row.who) == ("by_hand", REMOVED, {})
    assert world.far.arrived == []


async def test_a_worker_that_died_half_way_is_followed_by_another_and_cannot_write_any_more(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    await world.erase()
    async with world.database.transaction(world.project_id) as tx:
        held = update(ProviderErasure).values(lease_until=world.now + timedelta(minutes=5), lease_token=7)
        await tx.execute(held.where(ProviderErasure.project_id == world.project_id))
    assert await world.turn() == 0
    assert world.far.arrived == []
    assert await world.turn(timedelta(minutes=6)) == 1
    assert (await world.report())["klaviyo"].status == "done"


async def test_nobody_inside_the_house_is_called(world: World) -> None:
    """The webhook's name leads inside: the same guard as for messages."""
    settings = {"url": "https://127.0.0.1/erase"}
    await world.connect("webhook", settings, {"secret": "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n"})
    world.ways = ProjectChannels({}, SEALER, Line())
    await world.erase()
    await world.turn()
    row = (await world.report())["webhook"]
    assert (row.status, world.far.connections) == ("failed", 0)
    assert "not on the public internet" in row.said


async def test_an_erasure_of_somebody_without_names_asks_nobody(world: World) -> None:
    await world.connect("klaviyo", {}, KEY)
    await world.erase(visitors=[str(uuid4())])
    await world.turn()
    assert (await world.report())["klaviyo"].status == "done"
    assert world.far.arrived == []
