"""The outermost door: limits answer 429 and say for how long, bodies are bounded in size and time, headers are safe."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.postgres.engine import DatabaseUrls
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from tests.process import Process, running


class Entrance:
    """A process as strangers reach it, through a balancer."""

    def __init__(self, process: Process) -> None:
        self.client, self.write, self.secret = process.client, process.write, process.secret

    async def events(self, address: str = "198.51.100.7", key: str | None = None) -> httpx.Response:
        batch = {"visitor": str(uuid4()), "session": str(uuid7()), "events": []}
        return await self.client.post(
            "/v1/events", params={"key": key or self.write}, json=batch, headers={"x-forwarded-for": address}
        )


@asynccontextmanager
async def entrance(urls: DatabaseUrls, tmp_path: Path, **settings: Any) -> AsyncIterator[Entrance]:
    async with running(Settings(data_dir=tmp_path, **({"burst_seconds": 1.0} | settings)), urls) as process:
        yield Entrance(process)


def refused(answers: list[httpx.Response]) -> list[httpx.Response]:
    return [answer for answer in answers if answer.status_code == 429]


async def test_an_address_that_floods_is_told_when_to_come_again_and_its_neighbour_notices_nothing(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with entrance(database_urls, tmp_path, address_requests_per_second=10.0) as api:
        answers = await asyncio.gather(*(api.events() for _ in range(30)))
        assert 15 <= len(refused(answers)) <= 20
        told = refused(answers)[0]
        assert int(told.headers["retry-after"]) >= 1
        assert told.json()["title"] == "Too many requests"
        assert told.headers["x-content-type-options"] == "nosniff"
        assert (await api.events("198.51.100.8")).status_code == 200
        # What decides whether a process lives is never turned away.
        for path in ("/healthz", "/readyz"):
            headers = {"x-forwarded-for": "198.51.100.7"}
            assert (await api.client.get(path, headers=headers)).status_code == 200


async def test_a_key_that_floods_is_turned_away_from_any_number_of_addresses(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    # Ten and five at once, and so little a second that it does not matter how long the test takes.
    limits = {"key_requests_per_second": 0.1, "operation_requests_per_second": 0.05, "burst_seconds": 100.0}
    async with entrance(database_urls, tmp_path, **limits) as api:
        answers = await asyncio.gather(*(api.events(f"198.51.{n}.7") for n in range(30)))
        assert 19 <= len(refused(answers)) <= 20
        assert refused(answers)[0].headers["access-control-allow-origin"] == "*"
        assert (await api.events(key=api.secret)).status_code == 200
        headers = {"authorization": f"Bearer {api.secret}"}
        asked = await asyncio.gather(*(api.client.get("/v1/flows", headers=headers) for _ in range(12)))
        assert 4 <= len(refused(asked)) <= 7, "a slow machine gives the bucket time to fill"
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused(asked))


async def test_keys_are_not_guessed_quickly(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with entrance(database_urls, tmp_path, address_requests_per_second=20.0) as api:
        statuses = [(await api.events(key=f"wl_w_{uuid4().hex}")).status_code for _ in range(12)]
        assert statuses.count(401) <= 6
        assert 429 in statuses
        headers = {"x-forwarded-for": "198.51.100.9", "authorization": "Bearer wl_s_guess"}
        statuses = [(await api.client.get("/v1/flows", headers=headers)).status_code for _ in range(12)]
        assert (statuses.count(401) <= 6, 429 in statuses) == (True, True)


async def test_any_operations_body_is_bounded_whoever_reads_it(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with entrance(database_urls, tmp_path, max_body_bytes=2000) as api:
        headers = {"authorization": f"Bearer {api.secret}", "content-type": "application/json"}
        large = json.dumps({"name": "x" * 3000})

        async def in_parts() -> AsyncIterator[bytes]:
            for start in range(0, len(large), 100):
                yield large[start : start + 100].encode()

        for path in ("/v1/segments", "/v1/track", "/v1/events", "/app/login"):
            for content in (large, in_parts()):
                answer = await api.client.post(path, headers=headers, content=content)
                assert answer.status_code == 413, path
                assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_body_that_drips_is_cut(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with entrance(database_urls, tmp_path, request_seconds=0.3) as api:

        async def dripping() -> AsyncIterator[bytes]:
            yield b'{"name": "'
            await asyncio.sleep(60)
            yield b'"}'

        headers = {"authorization": f"Bearer {api.secret}", "content-type": "application/json"}
        for path in ("/v1/segments", "/v1/events", "/v1/track"):
            answer = await asyncio.wait_for(api.client.post(path, headers=headers, content=dripping()), 10)
            assert answer.status_code == 408, path
            assert "Nothing was stored" in answer.json()["detail"]


async def test_every_answer_carries_headers_that_keep_it_harmless(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with entrance(database_urls, tmp_path, public_url="https://whyleft.example") as api:
        headers = {"authorization": f"Bearer {api.secret}"}
        answers = [
            await api.events(),
            await api.events(key="wl_w_unknown"),
            *[await api.client.get(path, headers=headers) for path in ("/v1/flows", "/v1/nowhere", "/openapi.json")],
            *[await api.client.get(path) for path in ("/docs", "/app/login", "/", "/v1/flows", "/sdk/whyleft.js")],
            await api.client.post("/v1/flows", headers=headers, json=[]),
        ]
        for answer in answers:
            where = str(answer.request.url)
            assert answer.headers["x-content-type-options"] == "nosniff", where
            assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin"), where
            assert answer.headers["cross-origin-opener-policy"] == "same-origin", where
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, where
            assert "script-src 'unsafe-inline'" not in policy, where
            assert len(answer.headers.get_list("content-security-policy")) == 1, where
            if "authorization" in answer.request.headers:
                assert answer.headers["cache-control"] == "no-store", where
            if "/v1/events" not in where:
                assert answer.headers["strict-transport-security"], where


@pytest.mark.parametrize("size", [1, 10])
async def test_reports_of_one_key_wait_for_each_other(database_urls: DatabaseUrls, tmp_path: Path, size: int) -> None:
    async with entrance(database_urls, tmp_path, operations_at_once=1) as api:
        headers = {"authorization": f"Bearer {api.secret}"}
        answers = await asyncio.gather(*(api.client.get("/v1/flows", headers=headers) for _ in range(size)))
        assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("path", ["/v1/events", "/v1/batch", "/v1/ga4", "/v1/shopify/pixel", "/v1/segments"])
async def test_a_large_body_counts_like_the_requests_that_it_could_be(
    database_urls: DatabaseUrls, tmp_path: Path, path: str
) -> None:
    """A kilobyte that unpacks to a megabyte of brackets takes as long to read as a hundred requests."""
    brackets = b'{"a": [' + b"[]," * 300_000 + b"[]]}"
    packed = path != "/v1/segments"
    body = gzip.compress(brackets) if packed else brackets
    # A hundred at once, and so little a second that it does not matter how long the test takes.
    for limit in ("address", "key", "operation"):
        if limit == ("operation" if path == "/v1/events" else "key"):
            continue
        name = f"{limit}_requests_per_second"
        async with entrance(database_urls, tmp_path / limit, **{name: 0.1, "burst_seconds": 1000.0}) as api:
            headers = {
                "authorization": f"Bearer {api.write if packed else api.secret}",
                "content-type": "application/json",
                "x-forwarded-for": "198.51.100.7",
            } | ({"content-encoding": "gzip"} if packed else {})
            answers = [await api.client.post(path, headers=headers, content=body) for _ in range(8)]
            assert [answer.status_code for answer in answers[:3]] == [answers[0].status_code] * 3, limit
            assert 3 <= len(refused(answers)) <= 4, limit


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/v1/ga4", "/v1/shopify/pixel"])
async def test_what_is_reported_is_read_only_of_who_has_a_key(
    database_urls: DatabaseUrls, tmp_path: Path, path: str
) -> None:
    async with entrance(database_urls, tmp_path) as api:
        field = "writeKey" if path in ("/v1/batch", "/v1/track") else "key"
        broken = '{"%s": "%s", "events": [}'
        for content in ("[" * 1000, broken % (field, ""), broken % (field, f"wl_w_{uuid4().hex}")):
            answer = await api.client.post(path, content=content)
            assert (answer.status_code, answer.json()["status"]) == (401, 401), content[:40]
        # A holder is told what is wrong, wherever the key stands; one that stands deep inside opens nothing.
        known = await api.client.post(path, content=broken % (field, api.write))
        assert (known.status_code, "not JSON" in known.json()["detail"]) == (400, True)
        deep = await api.client.post(path, json={"events": [{"key": api.write, "writeKey": api.write}]})
        assert deep.status_code == 401


async def test_a_key_in_the_body_has_the_limits_of_one_in_the_header(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    limits = {"operation_requests_per_second": 0.05, "burst_seconds": 100.0}
    async with entrance(database_urls, tmp_path, **limits) as api:
        body = {"writeKey": api.write, "userId": "1", "event": "Order Seen"}
        answers = [await api.client.post("/v1/track", json=body) for _ in range(8)]
        assert 2 <= len(refused(answers)) <= 3
