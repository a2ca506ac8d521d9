"""Requests as no browser writes them: two ends to one body, hosts made up, slashes that lead away."""

from __future__ import annotations

import asyncio

import pytest

from insights.traffic.limits import ConnectionLimits
from tests.api.conftest import Api, api
from tests.traffic.test_connections import exchange, listening

__all__ = ["api"]

HEAD = b"POST /first HTTP/1.1\r\nHost: x\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 6\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SECOND,
        HEAD + CHUNKED + b"Content-Length: 4\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + SECOND,
        HEAD + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + SECOND,
        HEAD + b"Content-Length: 2, 2\r\n\r\n{}" + SECOND,
        HEAD + b"Content-Length: +2\r\n\r\n{}" + SECOND,
        HEAD + b"Content-Length: -1\r\n\r\n{}" + SECOND,
        HEAD + b"Content-Length: 0x2\r\n\r\n{}" + SECOND,
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}" + SECOND,
        HEAD + b"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}" + SECOND,
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SECOND,
        HEAD + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n" + SECOND,
        HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SECOND,
        HEAD + CHUNKED + b'\r\n2;a="b\r\n\r\nx"\r\n{}\r\n0\r\n\r\n' + SECOND,
        HEAD + CHUNKED + b"\r\n2\n{}\n0\n\n" + SECOND,
        HEAD + CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n" + SECOND,
        HEAD + CHUNKED + b"\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" + SECOND,
        HEAD + b"X-A: b\r\n  Content-Length: 5\r\n\r\n" + SECOND,
        HEAD + b"X-A: a\rContent-Length: 5\r\n\r\n" + SECOND,
        HEAD + b"X-A: a\x00b\r\n\r\n" + SECOND,
        HEAD + b"X\x01A: a\r\n\r\n" + SECOND,
        b"GET /first HTTP/1.1\nHost: x\n\n" + SECOND,
        b"GET /first\x00 HTTP/1.1\r\nHost: x\r\n\r\n" + SECOND,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECOND,
    ],
)
async def test_a_request_whose_end_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    request_: bytes,
) -> None:
    async with listening(ConnectionLimits(seconds=2)) as port:
        answer = await exchange(port, request_)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_an_upgrade_changes_nothing() -> None:
    asked = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
    websocket = (
        asked + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )
    async with listening(ConnectionLimits(seconds=2)) as port:
        for request in (websocket + b"\r\n", asked + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"):
            assert (await asyncio.wait_for(exchange(port, request), 10)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "path",
    [
        "/app",
        "/",
        "/v1/flows/",
        "/metrics/",
        "/app/sessions/",
        "/app/login/",
        "//elsewhere.example/%2e%2e",
        "/v1//flows",
    ],
)
async def test_no_answer_leads_to_the_host_that_a_request_names(api: Api, path: str) -> None:
    headers = {"host": "elsewhere.example", "x-forwarded-host": "elsewhere.example"}
    answer = await api.client.get(path, headers=headers, follow_redirects=False)
    leads = answer.headers.get("location", "/")
    assert leads.startswith("/")
    assert not leads.startswith("//")
    assert "elsewhere.example" not in leads
