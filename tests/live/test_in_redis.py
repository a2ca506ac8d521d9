"""Processes that share profiles through Redis, and what becomes of their visitors when it fails them."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio as redis_py

from adapters.postgres.engine import DatabaseUrls
from insights.settings import SettingInvalid, Settings
from insights.wiring.intake import live_profiles
from tests.live.conftest import RedisServer
from tests.live.shop import CART, Shop, Visitor, fields, opened

CART_FILLED = ("cart_added", {**CART, "cart_value_minor": 2900})
LEAVING = ("exit_intent", {"kind": "pointer"})


@pytest.fixture
async def shop(database_urls: DatabaseUrls, tmp_path: Path, redis: RedisServer) -> AsyncIterator[Shop]:
    async with opened(
        database_urls, tmp_path, action_gap_seconds=0, redis_url=redis.url, redis_timeout_seconds=1.0
    ) as shop:
        yield shop


@pytest.fixture
async def client(redis: RedisServer) -> AsyncIterator[redis_py.Redis]:
    client = redis_py.Redis.from_url(redis.url)
    yield client
    await client.aclose()


def round_robin(shop: Shop) -> Visitor:
    turn = itertools.cycle(shop.processes)
    return Visitor(shop, lambda: next(turn))


async def equal_everywhere(shop: Shop, visitor: Visitor) -> None:
    for process in shop.processes:
        assert fields(await process.copy_at_hand(shop.project_id, visitor.id)) == fields(await shop.stored(visitor.id))


async def kept(client: redis_py.Redis) -> bytes:
    """The key of the only visitor, once it is there: nobody's answer waits for that."""
    for _ in range(500):
        if keys := await client.keys():
            break
        await asyncio.sleep(0.01)
    (key,) = keys
    assert isinstance(key, bytes)
    return key


@pytest.mark.parametrize("seed", range(3))
async def test_a_visitor_sent_to_each_process_in_turn_is_known_to_all_of_them(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    visitor = round_robin(shop)
    for _ in range(15):
        await visitor.browse(chance)
        await equal_everywhere(shop, visitor)
    assert [process.services.recorder.stale for process in shop.processes] == [0, 0]


async def test_a_request_is_one_read_and_one_script(shop: Shop, client: redis_py.Redis) -> None:
    visitor = round_robin(shop)
    await visitor.do("/", ("page_viewed", {}))
    await client.config_resetstat()
    for _ in range(4):
        await visitor.do("/", ("page_viewed", {}))
    # What the script itself calls is counted, too.
    expected = {f"cmdstat_{name}": 4 for name in ("get", "evalsha", "getrange", "set")}
    for _ in range(500):
        commands = await client.info("commandstats")
        ours = (
            (name, found) for name, found in commands.items() if not name.startswith(("cmdstat_config", "cmdstat_info"))
        )
        asked = {name: found["calls"] for name, found in ours}
        if asked == expected:
            break
        await asyncio.sleep(0.01)  # nobody waits for the last one's script
    assert asked == expected


async def test_without_redis_every_request_is_served_and_the_profile_is_the_same(
    shop: Shop, redis: RedisServer
) -> None:
    visitor = round_robin(shop)
    await visitor.do("/product/moka", ("page_viewed", {}), CART_FILLED)
    redis.kill()
    for _ in range(6):
        await visitor.do("/", ("page_viewed", {}))
    stored = await shop.stored(visitor.id)
    assert stored.profile.pages == 7
    for process in shop.processes:
        assert process.services.profiles.trouble is not None
        answer = await process.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (
            200,
            "ok, but Redis cannot be reached; profiles come from this process's memory and from PostgreSQL",
        )
        metrics = (await process.services.exposition.read()).decode()
        assert 'whyleft_live_store_lost{process="0"} 1.0' in metrics


async def test_caps_hold_while_redis_comes_and_goes(shop: Shop, redis: RedisServer) -> None:
    visitor = round_robin(shop)
    await visitor.do("/product/moka", ("page_viewed", {}), CART_FILLED)
    for turn in range(12):
        if turn % 4 == 1:
            redis.kill()
        if turn % 4 == 3:
            redis.restart()
        await visitor.do("/cart", ("page_viewed", {}), LEAVING)
    shown = [row for row in await shop.decisions(visitor.id) if row.action != "do_nothing"]
    assert [str(row.id) for row in shown] == [action["decision_id"] for action in visitor.got]
    assert [row.action for row in shown].count("cart_save") <= 1
    assert len(shown) <= 2


async def test_a_redis_that_hangs_holds_nobody_up_for_long(
    database_urls: DatabaseUrls, tmp_path: Path, redis: RedisServer
) -> None:
    async with opened(database_urls, tmp_path, redis_url=redis.url, redis_timeout_seconds=0.05) as shop:
        visitor = round_robin(shop)
        await visitor.do("/", ("page_viewed", {}))
        assert redis.process is not None
        redis.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(4):
                await visitor.do("/", ("page_viewed", {}))
            assert shop.processes[0].services.profiles.trouble is not None
        finally:
            redis.process.send_signal(signal.SIGCONT)
        assert (await shop.stored(visitor.id)).profile.pages == 5


async def test_a_redis_that_was_never_there_is_done_without(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with opened(database_urls, tmp_path, redis_url="redis://127.0.0.1:1/0") as shop:
        visitor = round_robin(shop)
        for _ in range(4):
            await visitor.do("/", ("page_viewed", {}))
        assert (await shop.stored(visitor.id)).profile.pages == 4


async def test_what_redis_lost_is_built_again(shop: Shop, client: redis_py.Redis) -> None:
    visitor = round_robin(shop)
    await visitor.do("/product/moka", ("page_viewed", {}), CART_FILLED)
    before = fields(await shop.processes[0].copy_at_hand(shop.project_id, visitor.id))
    await client.flushall()
    assert await shop.processes[0].copy_at_hand(shop.project_id, visitor.id) is None
    await shop.processes[1].load(shop.project_id, visitor.id)
    assert fields(await shop.processes[0].copy_at_hand(shop.project_id, visitor.id)) == before


async def test_an_old_state_of_redis_deceives_nobody(shop: Shop, client: redis_py.Redis) -> None:
    """As after a restart from yesterday's dump."""
    visitor = round_robin(shop)
    await visitor.do("/product/moka", ("page_viewed", {}), CART_FILLED)
    key = await kept(client)
    old = await client.get(key)
    assert old is not None
    await visitor.do("/cart", ("page_viewed", {}), LEAVING)
    assert len(visitor.got) == 1
    await client.set(key, old)
    await visitor.do("/cart", LEAVING)
    assert len(visitor.got) == 1
    await visitor.do("/cart", ("clicked", {}))
    await equal_everywhere(shop, visitor)


@pytest.mark.parametrize(
    "value", [b"", b"nonsense", b"ffffffffffffffff", b"0000000000000001", b"0000000000000001\xc1", b"\x00" * 40]
)
async def test_what_is_no_profile_is_not_read(shop: Shop, client: redis_py.Redis, value: bytes) -> None:
    visitor = round_robin(shop)
    await visitor.do("/product/moka", ("page_viewed", {}), CART_FILLED)
    key = await kept(client)
    await client.set(key, value)
    await visitor.do("/", ("clicked", {}))
    await visitor.do("/", ("clicked", {}))
    await equal_everywhere(shop, visitor)


def test_a_wrong_url_is_a_wrong_setting() -> None:
    with pytest.raises(SettingInvalid, match="WHYLEFT_REDIS_URL"):
        live_profiles(Settings(redis_url="localhost:6379"))
