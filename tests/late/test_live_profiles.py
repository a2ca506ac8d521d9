"""The live profile is the same in whatever order requests arrive, at whichever process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.engine import DatabaseUrls
from insights.profiles.profile import MOST_SESSIONS
from insights.vocabulary.ids import uuid7
from tests.late.arrivals import PAUSE, UNSHRUNK, Batch, Step, arrivals, stories, told
from tests.live.shop import CART, Process, Shop, Visitor, fields, opened


@pytest.fixture
async def shops(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[tuple[Shop, Shop]]:
    """Two projects in which the same may happen, the second on two processes."""
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(opened(database_urls, tmp_path, processes=1)),
            await stack.enter_async_context(opened(database_urls, tmp_path, processes=2)),
        )


async def post(shop: Shop, process: Process, batch: Batch) -> None:
    body = {
        "visitor": str(batch.visitor),
        "session": str(batch.session),
        "tab": batch.tab,
        "events": [
            {"id": str(e.id), "t": e.t, "type": e.type, "seq": e.seq, "props": e.props, "url": e.url}
            for e in batch.events
        ],
    }
    answer = await process.client.post("/v1/events", params={"key": shop.key, "v": str(batch.visitor)}, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] + answer.json()["duplicates"] == len(batch.events)


async def stored(shop: Shop, visitor: UUID) -> dict[str, Any]:
    found = fields(await shop.stored(visitor))
    assert found is not None
    return found


@settings(max_examples=15, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories(), st.data())
async def test_any_order_and_any_copies_leave_the_same_live_profile(
    shops: tuple[Shop, Shop], story: list[list[Step]], data: st.DataObject
) -> None:
    in_order, as_it_came = shops
    # Old enough that nothing is decided on it: what is shown may well depend on what was known.
    batches = told(story, int(time.time() * 1000) - 4 * 86_400_000)
    visitor = batches[0].visitor
    for batch in batches:
        await post(in_order, in_order.processes[0], batch)
    expected = await stored(in_order, visitor)
    assert fields(await in_order.processes[0].copy_at_hand(in_order.project_id, visitor)) == expected
    for number in data.draw(arrivals(len(batches))):
        if number != PAUSE:
            await post(as_it_came, data.draw(st.sampled_from(as_it_came.processes)), batches[number])
    assert await stored(as_it_came, visitor) == expected
    for process in as_it_came.processes:
        at_hand = await process.copy_at_hand(as_it_came.project_id, visitor)
        # One that counts less knows that it lacks something, and finds out with what it writes next.
        if at_hand is not None and at_hand.version == expected["version"]:
            assert fields(at_hand) == expected


def at(batch: dict[str, Any], *times: int) -> dict[str, Any]:
    """The batch, with its events at these times."""
    for event, t in zip(batch["events"], times, strict=True):
        event["t"] = t
    return batch


async def test_requests_in_order_never_build_a_profile_again(shops: tuple[Shop, Shop]) -> None:
    shop = shops[0]
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    await visitor.do("/", ("page_viewed", {}))
    first = await home.copy_at_hand(shop.project_id, visitor.id)
    for _ in range(10):
        await visitor.do("/", ("clicked", {}), ("scrolled", {"depth": 0.5}))
    assert await home.copy_at_hand(shop.project_id, visitor.id) is first
    assert fields(first) == await stored(shop, visitor.id)


async def test_what_comes_late_is_stored_shows_nothing_and_is_known_to_the_next_request(
    shops: tuple[Shop, Shop],
) -> None:
    shop = shops[0]
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    now = int(time.time() * 1000)
    await visitor.post(at(visitor.batch("/product/moka", ("page_viewed", {})), now - 900))
    added = visitor.batch("/cart", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    await visitor.post(at(added, now - 500, now - 400))
    got = len(visitor.got)
    emptied = visitor.batch("/cart", ("cart_removed", {**CART, "cart_value_minor": 0}))
    answer = (await visitor.post(at(emptied, now - 700))).json()
    assert (answer["accepted"], answer["action"]) == (1, None)
    assert await home.copy_at_hand(shop.project_id, visitor.id) is None
    await visitor.post(at(visitor.batch("/cart", ("exit_intent", {"kind": "pointer"})), now))
    at_hand = await home.copy_at_hand(shop.project_id, visitor.id)
    assert at_hand is not None
    # Removed before it was added: the cart is full, and worth saving.
    assert (at_hand.profile.cart_items, at_hand.profile.cart_removes) == (1, 1)
    assert [action["action"] for action in visitor.got[got:]] == ["cart_save"]
    assert fields(at_hand) == await stored(shop, visitor.id)


async def test_a_late_event_of_an_earlier_visit_leaves_the_present_one_as_it_is(shops: tuple[Shop, Shop]) -> None:
    shop = shops[0]
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    now = int(time.time() * 1000)
    earlier = visitor.session = uuid7(now - 90_000)
    await visitor.post(at(visitor.batch("/", ("page_viewed", {})), now - 90_000))
    visitor.session = uuid7(now - 1_000)
    added = visitor.batch("/cart", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    await visitor.post(at(added, now - 900, now - 800))
    order = {"order_id": str(uuid7()), "value_minor": 100, "currency": "EUR"}
    bought = at(visitor.batch("/", ("purchased", order)), now - 89_000)
    assert (await visitor.post({**bought, "session": str(earlier)})).json()["accepted"] == 1
    await visitor.post(at(visitor.batch("/", ("clicked", {})), now))
    at_hand = await home.copy_at_hand(shop.project_id, visitor.id)
    assert at_hand is not None
    assert (at_hand.profile.purchases, at_hand.profile.bought, at_hand.profile.cart_items) == (1, False, 1)
    assert fields(at_hand) == await stored(shop, visitor.id)


async def test_after_many_visits_the_live_profile_is_still_the_one_that_is_stored(shops: tuple[Shop, Shop]) -> None:
    shop = shops[0]
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    start = int(time.time() * 1000) - 10_000_000
    for visit in range(MOST_SESSIONS + 3):
        then = start + visit * 100_000
        visitor.session = uuid7(then)
        seen = {"product_id": "a", "category": f"c{visit % 4}", "price_minor": 900, "currency": "EUR"}
        for number in range(2):
            view = visitor.batch("/product/a", ("page_viewed", {}), ("product_viewed", seen), ("cart_added", CART))
            await visitor.post(at(view, *(then + 100 * number + place for place in (1, 2, 3))))
            at_hand = await home.copy_at_hand(shop.project_id, visitor.id)
            if at_hand is None:
                assert number == 0
                assert visit >= MOST_SESSIONS
            else:
                assert fields(at_hand) == await stored(shop, visitor.id)
                assert at_hand.profile.sessions == visit + 1


async def test_a_new_visit_knows_what_was_done_on_the_other_device_since_the_last(shops: tuple[Shop, Shop]) -> None:
    shop = shops[0]
    home = shop.processes[0]
    laptop, phone = Visitor(shop, lambda: home), Visitor(shop, lambda: home)
    for device in (laptop, phone):
        await device.do("/", ("page_viewed", {}), ("identified", {"email": f"{laptop.id}@example.org"}))
        await device.do("/", ("clicked", {}))
    # A visit on the phone that the laptop's profile is not told of.
    phone.session = uuid7()
    for _ in range(2):
        await phone.do("/", ("page_viewed", {}))
    laptop.session = uuid7()
    for _ in range(2):
        await laptop.do("/", ("page_viewed", {}))
    at_hand = await home.copy_at_hand(shop.project_id, laptop.id)
    assert at_hand is not None
    assert at_hand.profile.sessions == 4
    assert fields(at_hand) == await stored(shop, laptop.id)
