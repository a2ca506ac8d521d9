"""The shared store by itself: the newest version wins, one write for many, and its loss is noticed and got over."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import redis.asyncio as redis_py

from adapters.live.redis import RedisStore
from adapters.live.resp import RedisAddress, RedisLost, RedisUrlInvalid
from tests.e2e.server import free_port
from tests.live.conftest import RedisServer
from tests.tls import local_identity

ADA = (uuid4(), uuid4())
NOT_ALLOWED = "can't run this command|no permissions to run the 'set' command$"
"""As Redis 7 says it, and Redis 8."""


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    store = made(redis_server)
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[redis_py.Redis]:
    client = redis_py.Redis.from_url(redis_server.url)
    await client.flushall()
    yield client
    await client.aclose()


def made(server: RedisServer, url: str = "", timeout: float = 5.0, layout: str = "a") -> RedisStore:
    return RedisStore(url or server.url, layout=layout, keep_seconds=60, timeout=timeout)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in time")


async def found_again(store: RedisStore, visitor: tuple[UUID, UUID] = ADA) -> tuple[int, bytes] | None:
    """What is found once the store is reached again: each try may connect."""
    for _ in range(1000):
        try:
            return await store.fetch(*visitor)
        except RedisLost:
            await asyncio.sleep(0.01)
    raise AssertionError("the store was not found again")


async def test_what_was_put_is_found_with_its_version(store: RedisStore, client: redis_py.Redis) -> None:
    assert await store.fetch(*ADA) is None
    for value in (b"", b"\r\n$-1\r\n", os.urandom(100_000)):
        store.put(*ADA, 7, value)
        assert await store.fetch(*ADA) == (7, value)
        store.drop(*ADA)
        assert await store.fetch(*ADA) is None


async def test_an_older_version_never_replaces_a_newer_one(store: RedisStore, client: redis_py.Redis) -> None:
    for version, value in ((9, b"nine"), (8, b"eight"), (9, b"nine again"), (255, b"ff"), (16, b"sixteen")):
        store.put(*ADA, version, value)
    assert await store.fetch(*ADA) == (255, b"ff")


async def test_a_visitors_keys_share_a_hash_tag_and_go_by_themselves(store: RedisStore, client: redis_py.Redis) -> None:
    store.put(*ADA, 1, b"x")
    await store.fetch(*ADA)
    (key,) = await client.keys()
    assert b"{%b:%b}" % (ADA[0].hex.encode(), ADA[1].hex.encode()) in key
    assert 50_000 < await client.pttl(key) <= 60_000


async def test_another_layout_sees_nothing(
    store: RedisStore, redis_server: RedisServer, client: redis_py.Redis
) -> None:
    other = made(redis_server, layout="b")
    await other.start()
    store.put(*ADA, 1, b"x")
    await store.fetch(*ADA)
    assert await other.fetch(*ADA) is None
    await other.stop()


async def test_what_one_turn_of_the_loop_asks_leaves_in_one_write(redis_server: RedisServer) -> None:
    """Counted by a proxy between the two."""
    seen: list[bytes] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", redis_server.port)

        async def answers() -> None:
            while data := await there.read(65536):
                writer.write(data)

        task = asyncio.create_task(answers())
        while data := await reader.read(65536):
            seen.append(data)
            back.write(data)
        task.cancel()
        back.close()
        writer.close()

    proxy = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    store = made(redis_server, f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    await store.start()
    seen.clear()
    visitors = [(ADA[0], uuid4()) for _ in range(50)]
    for visitor in visitors:
        store.put(*visitor, 1, b"x")
    found = await asyncio.gather(*(store.fetch(*visitor) for visitor in visitors))
    assert found == [(1, b"x")] * 50
    assert len(seen) == 1
    await store.stop()
    proxy.close()


async def test_a_server_that_dies_is_noticed_and_found_again(redis: RedisServer) -> None:
    store = made(redis)
    await store.start()
    store.put(*ADA, 1, b"x")
    assert await store.fetch(*ADA) == (1, b"x")
    redis.kill()
    await until(lambda: store.lost)
    with pytest.raises(RedisLost):
        await store.fetch(*ADA)
    store.put(*ADA, 2, b"y")
    store.drop(*ADA)
    redis.start()
    assert await found_again(store) is None
    assert (store.lost, store.failures > 0) == (False, True)
    await store.stop()


async def test_a_server_that_hangs_is_given_up(redis: RedisServer) -> None:
    store = made(redis, timeout=0.05)
    await store.start()
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(store.fetch(*ADA) for _ in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [RedisLost] * 3
        assert store.lost
    finally:
        redis.process.send_signal(signal.SIGCONT)
    assert await found_again(store) is None
    await store.stop()


async def test_scripts_that_were_forgotten_are_loaded_again(store: RedisStore, client: redis_py.Redis) -> None:
    await client.script_flush()
    store.put(*ADA, 1, b"x")
    await until(lambda: store.lost)
    assert await found_again(store) is None
    store.put(*ADA, 1, b"x")
    assert await store.fetch(*ADA) == (1, b"x")


async def test_a_full_server_is_a_lost_one(store: RedisStore, client: redis_py.Redis) -> None:
    await client.config_set("maxmemory", "1")
    await client.config_set("maxmemory-policy", "noeviction")
    try:
        store.put(*ADA, 1, b"x")
        await until(lambda: store.lost)
    finally:
        await client.config_set("maxmemory", "0")
    assert await found_again(store) is None


@pytest.mark.parametrize(("password", "gets_in"), [("s3cret%20word", True), ("wrong", False)])
async def test_a_password_is_asked_for(redis: RedisServer, password: str, gets_in: bool) -> None:
    redis.restart("--requirepass", "s3cret word")
    store = made(redis, f"redis://:{password}@127.0.0.1:{redis.port}/3")
    await store.start()
    assert store.lost is not gets_in
    await store.stop()


async def test_a_socket_in_the_file_system(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Path(tmp_path_factory.mktemp("s")) / "r"
    redis.restart("--unixsocket", str(place))
    store = made(redis, f"unix://{place}?db=2")
    await store.start()
    store.put(*ADA, 1, b"x")
    assert await store.fetch(*ADA) == (1, b"x")
    await store.stop()


async def test_an_encrypted_connection_to_whom_the_authority_vouches_for(
    redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    identity, port = local_identity(tmp_path_factory.mktemp("tls"), at="127.0.0.1"), free_port()
    path = str(identity.certificate)
    files = ["--tls-cert-file", path, "--tls-key-file", str(identity.key), "--tls-ca-cert-file", path]
    redis.restart("--tls-port", str(port), *files, "--tls-auth-clients", "no")
    store = made(redis, f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={path}")
    await store.start()
    store.put(*ADA, 1, b"x" * 300_000)
    assert await store.fetch(*ADA) == (1, b"x" * 300_000)
    await store.stop()
    # Nobody vouches for it here.
    stranger = made(redis, f"rediss://127.0.0.1:{port}/0")
    await stranger.start()
    assert stranger.lost
    await stranger.stop()


async def test_who_does_not_speak_as_redis_does_is_lost(redis_server: RedisServer) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    store = made(redis_server, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await store.start()
    assert store.lost
    await store.stop()
    server.close()


async def test_whoever_hangs_up_takes_no_answer_from_the_next(store: RedisStore, client: redis_py.Redis) -> None:
    store.put(*ADA, 1, b"x")
    gone = asyncio.create_task(store.fetch(ADA[0], uuid4()))
    await asyncio.sleep(0)
    gone.cancel()
    assert await store.fetch(*ADA) == (1, b"x")


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://somewhere", "redis://user:password@host"),
        ("somewhere:6379", "redis://user:password@host"),
        ("redis://host/0?retries=3", "retries"),
        ("rediss://host/0?ssl_ca_certs=/nowhere.pem", "no file of certificates"),
        ("redis://host:many", "redis://user:password@host"),
    ],
)
def test_a_wrong_url_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(RedisUrlInvalid, match=f"WHYLEFT_REDIS_URL.*{advice}"):
        RedisAddress.of(url)


def test_an_encrypted_connection_checks_whom_it_talks_to() -> None:
    address = RedisAddress.of("rediss://ada:word@cache.example:6380/2")
    assert (address.host, address.port, address.database, address.username) == ("cache.example", 6380, 2, "ada")
    assert address.tls is not None
    assert address.tls.check_hostname
    assert RedisAddress.of("redis://cache.example").tls is None


async def test_one_that_is_full_is_lost_until_it_takes_values_again(redis: RedisServer) -> None:
    redis.restart("--maxmemory-policy", "noeviction")
    admin = redis_py.Redis.from_url(redis.url)
    store = made(redis)
    await store.start()
    try:
        await admin.config_set("maxmemory", "1")
        store.put(*ADA, 1, b"x")
        await until(lambda: store.lost)
        # It answers whoever connects, and is not found again for that.
        for _ in range(30):
            with pytest.raises(RedisLost):
                await store.fetch(*ADA)
            await asyncio.sleep(0.02)
        assert store.lost and store.refused.startswith("OOM command not allowed")
        await admin.config_set("maxmemory", "0")
        assert await found_again(store) is None
        assert (store.lost, store.refused) == (False, "")
    finally:
        await store.stop()
        await admin.aclose()


async def test_what_redis_says_of_a_replica_and_of_a_user_who_may_not_write_is_told(redis: RedisServer) -> None:
    admin = redis_py.Redis.from_url(redis.url)
    await admin.acl_setuser("reader", enabled=True, passwords=["+p"], keys=["*"], commands=["+@all", "-set"])
    await admin.acl_setuser(
        "whyleft",
        enabled=True,
        passwords=["+p"],
        keys=["whyleft:*"],
        commands=["+ping", "+select", "+get", "+del", "+script|load", "+evalsha", "+getrange", "+set"],
    )
    try:
        for user, said in (("reader", NOT_ALLOWED), ("nobody", "WRONGPASS"), ("whyleft", "^$")):
            store = made(redis, redis.url.replace("//", f"//{user}:p@").replace("/0", "/1"))
            await store.start()
            assert re.search(said, store.refused) and store.lost is bool(store.refused)
            await store.stop()
        await admin.replicaof("127.0.0.1", str(free_port()))
        store = made(redis)
        await store.start()
        assert store.refused.startswith("READONLY") and store.lost
        await store.stop()
    finally:
        await admin.aclose()
