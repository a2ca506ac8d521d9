"""Whatever address a customer gives, nothing but the public internet is connected to: 0 connects in over 60 tries."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.channels.contract import Accepted, Rejected, Retry, SendIntent
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.line import Answer, Line, Request
from adapters.channels.public_only import PublicOnly
from adapters.channels.webhook import WebhookChannel
from tests.channels.contract.far_side import Provider, Reply, provider

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n"

HOSTS = [
    # Loopback and every way to write it
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "0",
    "0.0.0.0",  # noqa: S104
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    # IPv4 inside IPv6 in other ways: NAT64, 6to4, Teredo
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    # Metadata services
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "metadata.google.internal",
    # Private, link-local, shared, reserved
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.65.2",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fdff::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
]


@pytest.fixture
async def inside() -> AsyncIterator[Provider]:
    async with provider() as far:
        far.otherwise = Reply(200, {"secret": "inside"})
        yield far


class Connects:
    """Counts what is connected to, whichever library asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Any] = []
        real = socket.socket.connect
        loop = asyncio.get_running_loop()
        real_async = loop.sock_connect

        def connect(sock: socket.socket, address: Any) -> None:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                self.made.append(address)
            real(sock, address)

        async def sock_connect(sock: socket.socket, address: Any) -> None:
            self.made.append(address)
            await real_async(sock, address)

        monkeypatch.setattr(socket.socket, "connect", connect)
        monkeypatch.setattr(loop, "sock_connect", sock_connect, raising=False)


def test_the_list_is_long_enough() -> None:
    assert len(set(HOSTS)) == len(HOSTS) >= 50


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", HOSTS)
async def test_an_address_that_leads_inside_is_never_connected_to(
    host: str, scheme: str, inside: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects = Connects(monkeypatch)
    result = await Line(timeout=3).call(Request("POST", f"{scheme}://{host}:{inside.port}/hook"))
    assert isinstance(result, Rejected | Retry), result
    if scheme == "https":
        with contextlib.suppress(ChannelMisconfigured):
            webhook = WebhookChannel(f"https://{host}:{inside.port}/hook", secret=SECRET, timeout=3)
            sent = await webhook.send(SendIntent("key", None, {"a": 1}))
            assert isinstance(sent, Rejected | Retry), sent
    assert connects.made == []
    assert inside.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/",
        "unix:///var/run/docker.sock",
        "http://",
        "http:///x",
        "//127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://[::1",
        "http://a b/",
        "http://user@127.0.0.1/",
        "http://shop.example\\@127.0.0.1/",
        "http://127.0.0.1#@shop.example/",
        "http://127。0。0。1/",
        "http://①②⑦.0.0.1/",
    ],
)
async def test_an_odd_address_ends_in_a_sentence_and_no_connect(
    url: str, inside: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects = Connects(monkeypatch)
    result = await Line(timeout=3).call(Request("GET", url))
    assert isinstance(result, Rejected | Retry), result
    assert connects.made == []


async def test_a_name_that_changes_its_mind_reaches_what_was_judged_or_nothing(inside: Provider) -> None:
    answers = iter([["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1"], ["::ffff:10.0.0.1"], []])
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    # For this test alone this machine counts as public, so that the first answer is one that may be reached.
    line = Line(
        transport=lambda: PublicOnly(resolve=resolve, public=lambda address: address in ("127.0.0.1", "8.8.8.8"))
    )
    results = [await line.call(Request("GET", f"http://rebinding.example:{inside.port}/")) for _ in range(5)]
    assert isinstance(results[0], Answer)
    assert all(isinstance(result, Rejected) for result in results[1:4])
    assert isinstance(results[4], Retry)
    assert asked == ["rebinding.example"] * 5, "a name is asked for once a call"
    assert inside.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_nowhere(status: int, inside: Provider) -> None:
    async with provider() as outside:
        outside.otherwise = Reply(status, b"", {"Location": f"http://127.0.0.1:{inside.port}/latest/meta-data/"})
        line = Line(transport=lambda: PublicOnly(public=lambda _address: True))
        answer = await line.call(Request("POST", f"http://127.0.0.1:{outside.port}/"))
        assert isinstance(answer, Answer)
        assert answer.status == status
        hook = WebhookChannel(f"http://127.0.0.1:{outside.port}/", secret=SECRET, allow_private=True)
        assert isinstance(await hook.send(SendIntent("key", None, {})), Rejected)
    assert inside.connections == 0


async def test_a_proxy_of_the_environment_is_not_asked(inside: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{inside.port}")
    await Line(timeout=3).call(Request("GET", "http://10.0.0.1/"))
    await Line(timeout=3, transport=lambda: PublicOnly(public=lambda _a: False)).call(Request("GET", "http://8.8.8.8/"))
    assert inside.connections == 0


async def test_it_is_the_guard_that_keeps_them_out(inside: Provider) -> None:
    """The same call without the guard arrives: the tests above can fail."""
    line = Line(transport=lambda: httpx.AsyncHTTPTransport(), timeout=3)
    assert isinstance(await line.call(Request("GET", f"http://127.0.0.1:{inside.port}/")), Answer)
    assert inside.connections == 1
    hook = WebhookChannel(f"http://127.0.0.1:{inside.port}/", secret=SECRET, allow_private=True)
    assert isinstance(await hook.send(SendIntent("key", None, {})), Accepted)
