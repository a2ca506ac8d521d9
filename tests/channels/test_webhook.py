"""The signed webhook: what the receiver can check, what each answer means, and where it never connects."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from adapters.channels.contract import Accepted, Rejected, Result, Retry, SendIntent, Suppress, Unknown
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.public_address import is_public
from adapters.channels.public_only import resolve
from adapters.channels.verdict import retry_after
from adapters.channels.webhook import WebhookChannel
from tests.channels.servers import hook_server, status
from tests.channels.test_contract import SECRET

INTENT = SendIntent("run-1:step", None, {"type": "run.step", "data": {"name": "Tüte €"}})


def local(url: str, **options: Any) -> WebhookChannel:
    return WebhookChannel(url, secret=SECRET, allow_private=True, **({"timeout": 2.0} | options))


async def test_the_receiver_can_verify_every_attempt_and_knows_a_repeat_by_its_id() -> None:
    async with hook_server() as server:
        for _ in range(2):
            assert isinstance(await local(server.url).send(INTENT), Accepted)
    first, second = server.hooks
    assert Webhook(SECRET).verify(first.body, first.headers) == INTENT.content
    assert json.loads(first.body) == INTENT.content
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "run-1:step"
    assert first.headers["host"] == f"127.0.0.1:{server.port}"
    assert first.target == "/hook?shop=1"


async def test_another_secret_does_not_verify() -> None:
    async with hook_server() as server:
        await local(server.url).send(INTENT)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook("whsec_" + "b3RoZXI" * 6).verify(server.hooks[0].body, server.hooks[0].headers)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(200, body="<html>thanks</html>"), Accepted()),
        (status(202), Accepted()),
        (status(301, "Location: http://169.254.169.254/"), Rejected),
        (status(400), Rejected),
        (status(401), Rejected),
        (status(404), Rejected),
        (status(408), Retry),
        (status(410), Suppress),
        (status(429, "Retry-After: 30"), Retry),
        (status(500, body="<html>sorry</html>"), Retry),
        (status(503), Retry),
        (b"", Unknown),
        (b"not http at all\r\n\r\n", Unknown),
        (None, Unknown),
    ],
)
async def test_each_answer_means_one_thing(answer: bytes | None, expected: Any) -> None:
    async with hook_server() as server:
        server.answer = answer
        result: Result = await local(server.url, timeout=0.5).send(INTENT)
    assert result == expected or (isinstance(expected, type) and isinstance(result, expected)), result
    assert server.connections == 1


async def test_the_receivers_own_pause_is_passed_on() -> None:
    async with hook_server() as server:
        server.answer = status(429, "Retry-After: 30")
        assert await local(server.url).send(INTENT) == Retry("The webhook answered 429.", after=timedelta(seconds=30))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        ("9" * 400, timedelta(hours=24)),
        ("Sat, 28 Mar 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sat, 28 Mar 2020 12:01:00 GMT", timedelta(0)),
        ("²", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str | None, expected: timedelta | None) -> None:
    assert retry_after(value, datetime(2026, 3, 28, 12, 0, tzinfo=UTC)) == expected


INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",  # noqa: S104
    "169.254.170.2", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::",
    "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:0:7f00:1::", "100::1", "3fff::1", "5f00::1", "nonsense",
    "", "127.1", "0x7f000001",
]  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_an_inner_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "2a00:1450::1"])
def test_a_public_address_is_public(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]", "127.0.0.1.", "LOCALHOST",
    ],
)  # fmt: skip
async def test_no_spelling_of_this_machine_is_connected_to(host: str) -> None:
    async with hook_server() as server:
        with contextlib.suppress(ChannelMisconfigured):
            channel = WebhookChannel(f"https://{host}:{server.port}/", secret=SECRET, timeout=2)
            result = await channel.send(INTENT)
            assert isinstance(result, Rejected | Retry), result
    assert server.connections == 0


async def test_a_name_that_changes_its_mind_reaches_nothing() -> None:
    answers = [["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    async with hook_server() as server:
        url = f"https://rebind.example:{server.port}/"
        channel = WebhookChannel(url, secret=SECRET, resolve=rebinding)
        assert isinstance(await channel.send(INTENT), Rejected)
        assert isinstance(await channel.send(INTENT), Rejected)
    assert asked == ["rebind.example", "rebind.example"]
    assert server.connections == 0


async def test_the_address_that_was_judged_is_the_one_connected_to() -> None:
    """The name itself resolves nowhere: only the resolver's answer can lead to the server."""

    async def once(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with hook_server() as server:
        result = await local(f"http://shop.invalid:{server.port}/", resolve=once).send(INTENT)
    assert isinstance(result, Accepted)
    assert server.hooks[0].headers["host"] == f"shop.invalid:{server.port}"


async def test_the_next_address_is_tried_when_the_first_refuses() -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["127.9.9.9", "127.0.0.1"]

    async with hook_server() as server:
        assert isinstance(await local(f"http://shop.invalid:{server.port}/", resolve=two).send(INTENT), Accepted)
    assert len(server.hooks) == 1


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hook_server() as server, hook_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert isinstance(await local(server.url).send(INTENT), Accepted)
    assert proxy.connections == 0


async def test_a_name_without_an_address_is_tried_again_later() -> None:
    async def none(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    assert isinstance(await local("http://shop.invalid/", resolve=none).send(INTENT), Retry)


async def test_the_systems_resolver_gives_addresses_once_each() -> None:
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "url", ["", "shop.example", "ftp://shop.example", "https://", "http://[::1", "http://shop.example"]
)
def test_an_address_that_is_no_encrypted_one_is_refused_with_advice(url: str) -> None:
    with pytest.raises(ChannelMisconfigured, match="WHYLEFT_WEBHOOK"):
        WebhookChannel(url, secret=SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "secret", "whsec_" + "!" * 40, "a" * 44])
def test_a_secret_that_cannot_sign_is_refused_with_advice(secret: str) -> None:
    with pytest.raises(ChannelMisconfigured, match="openssl rand"):
        WebhookChannel("https://shop.example/", secret=secret)


@pytest.mark.parametrize("key", ["a b", "a\r\nX-Evil: 1", "ä", "x" * 201, ""])
async def test_a_key_that_is_no_header_is_rejected(key: str) -> None:
    async with hook_server() as server:
        assert isinstance(await local(server.url).send(SendIntent(key, None, {})), Rejected)
    assert server.connections == 0
