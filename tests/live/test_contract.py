"""Whatever the balancer does and wherever profiles stand: nothing folded is lost, no cap is passed, the log is true."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.engine import DatabaseUrls, conninfo
from insights.events.rests import Rests
from insights.profiles.store import Copy
from insights.vocabulary.ids import uuid7
from tests.live.shop import CART, Shop, Visitor, fields, opened

CAP = 2


@pytest.fixture
async def shop(database_urls: DatabaseUrls, tmp_path: Path, store_url: str) -> AsyncIterator[Shop]:
    async with opened(
        database_urls,
        tmp_path,
        actions_per_session=CAP,
        action_gap_seconds=0,
        redis_url=store_url,
        redis_timeout_seconds=5.0,
    ) as shop:
        yield shop


async def settled(shop: Shop, visitor: Visitor) -> None:
    """The log says what the visitor got, no more and no less, and no cap was passed."""
    shown = [row for row in await shop.decisions(visitor.id) if row.action != "do_nothing"]
    assert [str(row.id) for row in shown] == [action["decision_id"] for action in visitor.got]
    for session, count in Counter(row.session_id for row in shown).items():
        assert count <= CAP, session
    assert len({(row.session_id, row.action) for row in shown}) == len(shown)


@pytest.mark.parametrize("seed", range(4))
async def test_a_visitor_whom_the_balancer_keeps_at_one_process_has_the_profile_that_is_stored(
    shop: Shop, seed: int
) -> None:
    chance = random.Random(seed)
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    for _ in range(15):
        await visitor.browse(chance)
        at_hand = await home.copy_at_hand(shop.project_id, visitor.id)
        assert at_hand is not None
        assert fields(at_hand) == fields(await shop.stored(visitor.id))
    await settled(shop, visitor)


@pytest.mark.parametrize("seed", range(4))
async def test_round_robin_loses_no_fold_and_passes_no_cap(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    turn = itertools.cycle(shop.processes)
    visitor = Visitor(shop, lambda: next(turn))
    for _ in range(20):
        await visitor.browse(chance)
    await settled(shop, visitor)
    stored = await shop.stored(visitor.id)
    assert stored.profile.folded == visitor.seq
    # Two more requests a process, so that one that was behind has found out.
    for process in shop.processes:
        for _ in range(2):
            await visitor.post(visitor.batch("/", ("clicked", {})), process)
        assert fields(await process.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))


@pytest.mark.parametrize("seed", range(4))
async def test_round_robin_shows_what_one_process_would_have_shown(shop: Shop, seed: int) -> None:
    home = shop.processes[0]
    turn = itertools.cycle(shop.processes)
    told, got = [], []
    for route in (lambda: home, lambda: next(turn)):
        chance = random.Random(seed)
        visitor = Visitor(shop, route)
        for _ in range(20):
            await visitor.browse(chance)
        await settled(shop, visitor)
        told.append([row.action for row in await shop.decisions(visitor.id) if row.action != "do_nothing"])
        got.append([action["action"] for action in visitor.got])
    assert told[0] == told[1] == got[0] == got[1]
    assert got[0], "the story is too dull to prove anything"


async def test_a_visitor_who_moves_meets_the_profile_they_left(shop: Shop) -> None:
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    left = fields(await first.copy_at_hand(shop.project_id, visitor.id))
    visitor.route = lambda: second
    assert fields(await shop.stored(visitor.id)) == left
    await visitor.do("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
    assert [action["action"] for action in visitor.got] == ["cart_save"]
    assert fields(await second.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))
    await settled(shop, visitor)


async def test_a_newcomer_is_not_looked_for_and_has_the_profile_that_is_stored(shop: Shop) -> None:
    other, home = shop.processes
    visitor = Visitor(shop, lambda: home)

    async def looked_for(project_id: UUID, visitor_id: UUID) -> Copy:
        raise AssertionError("a newcomer is looked for")

    home.services.loader.load = looked_for  # type: ignore[method-assign]
    await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    await visitor.do("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
    assert [action["action"] for action in visitor.got] == ["cart_save"]
    stored = await other.services.loader.load(shop.project_id, visitor.id)
    assert fields(await home.copy_at_hand(shop.project_id, visitor.id)) == fields(stored)


async def test_while_their_project_floods_beside_others_nobody_is_looked_for_in_the_database(
    shop: Shop, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    visitor.route = lambda: second
    recorder = second.services.recorder
    recorder.turned_away(shop.project_id)
    recorder._rests.flushed(uuid4(), asyncio.get_running_loop().time())

    async def looked_for(project_id: UUID, visitor_id: UUID) -> Copy:
        raise AssertionError("somebody is looked for")

    with monkeypatch.context() as patched:
        patched.setattr(second.services.loader, "load", looked_for)
        await visitor.do("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
    # What it sends is stored; who is known without asking is served.
    assert [action["action"] for action in visitor.got] == (["cart_save"] if store_url else [])
    monkeypatch.setattr(recorder, "_rests", Rests())
    await visitor.do("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
    assert [action["action"] for action in visitor.got] == ["cart_save"]
    assert fields(await second.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))
    await settled(shop, visitor)


async def test_who_is_taken_for_a_newcomer_and_is_none_is_found_out(shop: Shop) -> None:
    """A second tab that was opened at once counts its events from nought, as the first did, and lands elsewhere."""
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    first.services.profiles.forget(shop.project_id, visitor.id)
    for process in (second, first):
        await visitor.post(visitor.batch("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"})), process)
    assert len(visitor.got) == 1, "decided by all that is stored, and shown once"
    await settled(shop, visitor)
    stored = await shop.stored(visitor.id)
    assert (stored.profile.cart_adds, stored.profile.exits, stored.profile.folded) == (1, 2, visitor.seq)


async def test_a_newcomers_first_batch_sent_again_elsewhere_is_stored_once(shop: Shop) -> None:
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    batch = visitor.batch("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    one, other = await visitor.post(batch, first), await visitor.post(batch, second)
    assert (one.json()["accepted"], other.json()["accepted"], other.json()["duplicates"]) == (2, 0, 2)
    await visitor.do("/", ("clicked", {}))
    assert fields(await first.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))


async def test_whoever_comes_back_is_not_shown_again_what_another_process_showed(shop: Shop) -> None:
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    await visitor.post(visitor.batch("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"})), second)
    assert len(visitor.got) == 1
    # The first process still holds the profile of before.
    await visitor.post(visitor.batch("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"})), first)
    assert len(visitor.got) == 1
    await settled(shop, visitor)
    await visitor.post(visitor.batch("/cart", ("clicked", {})), first)
    assert fields(await first.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))


async def test_requests_at_once_at_every_process_get_one_action_between_them(shop: Shop) -> None:
    for _ in range(5):
        visitor = Visitor(shop, lambda: shop.processes[0])
        await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
        # All of them know everything of the visitor now.
        await asyncio.gather(*(process.load(shop.project_id, visitor.id) for process in shop.processes))
        leaving = [visitor.batch("/cart", ("exit_intent", {"kind": "pointer"})) for _ in range(6)]
        answers = await asyncio.gather(
            *(visitor.post(batch, process) for batch, process in zip(leaving, itertools.cycle(shop.processes)))
        )
        assert [answer.json()["accepted"] for answer in answers] == [1] * 6
        assert len(visitor.got) == 1
        await settled(shop, visitor)


async def test_requests_at_once_at_one_process_build_on_each_other(shop: Shop) -> None:
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    await visitor.do("/", ("page_viewed", {}))
    batches = [visitor.batch("/", ("page_viewed", {}), ("clicked", {})) for _ in range(10)]
    await asyncio.gather(*(visitor.post(batch) for batch in batches))
    assert fields(await home.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))
    assert home.services.recorder.stale == 0


async def test_a_batch_sent_again_to_another_process_is_stored_and_decided_once(shop: Shop) -> None:
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    await visitor.post(visitor.batch("/", ("clicked", {})), second)
    batch = visitor.batch("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
    answers = await asyncio.gather(visitor.post(batch, first), visitor.post(batch, second), visitor.post(batch, second))
    assert sum(answer.json()["accepted"] for answer in answers) == 2
    assert len(visitor.got) <= 1
    await settled(shop, visitor)
    stored = await shop.stored(visitor.id)
    assert stored.profile.exits == 1


async def test_a_retry_that_grew_meanwhile_is_not_served_twice(shop: Shop) -> None:
    """The first answer was lost on its way; the page sends the batch again, with more in it, and lands elsewhere."""
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    await visitor.post(visitor.batch("/", ("clicked", {})), second)
    lost = visitor.batch("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
    await visitor.post(lost, second)
    assert len(visitor.got) == 1
    grown = visitor.batch("/cart", ("exit_intent", {"kind": "pointer"}))
    grown["events"] = [*lost["events"], *grown["events"]]
    # The first process knows nothing of what the second stored and served, but all of the events in this batch.
    await visitor.post(grown, first)
    assert len(visitor.got) == 1
    await settled(shop, visitor)


async def test_a_new_visit_elsewhere_is_seen_when_they_are_back(shop: Shop) -> None:
    first, second = shop.processes
    visitor = Visitor(shop, lambda: first)
    await visitor.do("/", ("page_viewed", {}))
    visitor.session = uuid7()
    await visitor.post(visitor.batch("/", ("page_viewed", {})), second)
    visitor.session = uuid7()
    for _ in range(2):
        await visitor.post(visitor.batch("/", ("page_viewed", {})), first)
    at_hand = await first.copy_at_hand(shop.project_id, visitor.id)
    assert at_hand is not None
    assert at_hand.profile.sessions == 3


async def test_what_the_database_refused_is_not_remembered(shop: Shop, database_urls: DatabaseUrls) -> None:
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    await visitor.do("/", ("page_viewed", {}))
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner), autocommit=True) as owner:
        await owner.execute("ALTER TABLE event ADD CONSTRAINT refused CHECK (url NOT LIKE '%/refused') NOT VALID")
        answer = await visitor.post(visitor.batch("/refused", ("clicked", {})))
        await owner.execute("ALTER TABLE event DROP CONSTRAINT refused")
    assert answer.status_code >= 400
    assert await home.copy_at_hand(shop.project_id, visitor.id) is None
    await visitor.do("/", ("clicked", {}))
    assert fields(await home.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))


async def test_visitors_of_two_projects_with_one_id_are_strangers(shop: Shop) -> None:
    home = shop.processes[0]
    visitor = Visitor(shop, lambda: home)
    await visitor.do("/", ("page_viewed", {}))
    assert await home.copy_at_hand(uuid4(), visitor.id) is None


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_retries_and_requests_at_once_leaves_nothing_wrong(shop: Shop, seed: int) -> None:
    """Everybody's requests anywhere, several at a time, each perhaps sent again elsewhere."""
    chance = random.Random(seed)
    visitors = [Visitor(shop, lambda: chance.choice(shop.processes)) for _ in range(6)]

    async def send(visitor: Visitor, batch: dict[str, Any]) -> int:
        await asyncio.sleep(chance.random() / 100)
        accepted = 0
        for _ in range(chance.choice([1, 1, 2])):
            answer = (await visitor.post(batch)).json()
            accepted += answer["accepted"]
        return accepted

    for visitor in visitors:
        await visitor.do("/product/moka", ("page_viewed", {}), ("cart_added", {**CART, "cart_value_minor": 2900}))
    for _ in range(6):
        batches = [
            (visitor, visitor.batch("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"})))
            for visitor in visitors
            for _ in range(chance.randrange(1, 4))
        ]
        assert set(await asyncio.gather(*(send(*each) for each in batches))) == {2}
    for visitor in visitors:
        shown = [str(row.id) for row in await shop.decisions(visitor.id) if row.action != "do_nothing"]
        assert sorted(shown) == sorted(action["decision_id"] for action in visitor.got)
        assert 1 <= len(shown) <= CAP
        assert (await shop.stored(visitor.id)).profile.folded == visitor.seq
        # What anybody still holds of them is either right or found out.
        for process in shop.processes:
            await visitor.post(visitor.batch("/", ("clicked", {})), process)
            at_hand = fields(await process.copy_at_hand(shop.project_id, visitor.id))
            assert at_hand == fields(await shop.stored(visitor.id))
