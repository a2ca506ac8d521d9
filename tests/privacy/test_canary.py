"""A canary in every place that a visitor's data can go: readable in none, and after the erasure in none at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import insert, text

from adapters.postgres.engine import DatabaseUrls
from adapters.postgres.personal import ring_of
from insights.privacy.forgetting import Forgetting
from insights.privacy.requests import carry_out
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from insights.wiring.services import build
from tests.e2e.server import until
from tests.live.conftest import RedisServer
from tests.llm.endpoint import Endpoint
from tests.privacy.catalogue import data_map, hits, row_about, tables
from tests.privacy.place import EMAIL, NAME, PHONE, STREET, WORDS, Place, close, fill


async def test_the_canary_is_readable_nowhere(
    place: Place, endpoint: Endpoint, database_urls: DatabaseUrls, capfd: pytest.CaptureFixture[str]
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    meters = place.services.meters
    meters.tracer = meters.stages._tracer = provider.get_tracer("test")
    session = await fill(place)
    await close(place, session)
    refused = await place.client.get(f"/v1/sessions/{EMAIL}", headers=place.headers)
    assert refused.status_code in (404, 422)
    assert hits(database_urls.owner, place.project, [*WORDS, "203.0.113"]) == []
    assert endpoint.requests, "the model was asked"
    prompts = json.dumps(endpoint.requests).lower()
    spans = "".join(span.to_json() for span in exporter.get_finished_spans()).lower()
    assert exporter.get_finished_spans()
    out, err = capfd.readouterr()
    metrics = str([list(metric.samples) for metric in meters.registry.collect()]).lower()
    for word in WORDS:
        assert word.lower() not in prompts, word
        assert word.lower() not in spans, word
        assert word.lower() not in (out + err).lower(), word
        assert word.lower() not in metrics, word
    # What it is for still works: found by every name, and handed over whole.
    asked = await place.ask("POST", "/v1/privacy/requests", json={"kind": "export", "email": EMAIL.lower()})
    exported = json.dumps(await place.ask("GET", f"/v1/privacy/requests/{asked['id']}/export"))
    for word in (EMAIL, PHONE, NAME, STREET, '"version": "3"', '"text_id": "news"', place.visitor):
        assert word in exported, word


PROOFS = {"privacy_request", "provider_erasure", "erased_visitor"}
"""What an erasure itself writes."""


async def plant_everywhere(place: Place, database_urls: DatabaseUrls, repository: Path) -> list[str]:
    """A row about the visitor in every table that the data map says is about visitors; returns all ids used."""
    visitor, run, decision, session = UUID(place.visitor), uuid4(), uuid4(), uuid7()
    given: dict[str, dict[str, Any]] = {
        "flow_run": {"id": run},
        "run_event": {"run_id": run},
        "decision": {"id": decision},
        "reward": {"decision_id": decision},
        "suppression": {"recipient": EMAIL.lower()},
        "identity_link": {"subject": str(visitor), "name": EMAIL.lower(), "name_kind": "email"},
        "live_claim": {"key": visitor.bytes},
        "rejected_event": {"envelope": {}, "replayed_at": None},
        "visitor": {"id": visitor, "email": EMAIL, "user_id": EMAIL, "phone": PHONE},
        "session": {"id": session, "close_at": None},
        "privacy_request": {"done_at": place.services and None, "who": {"email": EMAIL}},
        "event": {"id": uuid7()},
        "delivery": {"channel": "email"},
    }
    whose = {name for name, (owner, _) in data_map(repository).items() if owner == "visitors"}
    async with place.services.database.transaction(None) as tx:
        await tx.execute(text("SELECT ensure_event_partitions(current_date, 1)"))
    for table in tables():
        if table.name not in whose or table.name in PROOFS:
            continue
        common = {"visitor_id": visitor, "session_id": session, **given.get(table.name, {})}
        async with place.services.database.transaction(place.project) as tx:
            await tx.execute(insert(table).values(row_about(table, place.project, common, EMAIL.lower())))
    async with place.services.database.transaction(place.project) as tx:
        ring = ring_of(tx)
    sealed = [ring.seal(word, nth) for word in (EMAIL, EMAIL.lower(), PHONE) for nth in (0, -1)]
    return [str(visitor), str(run), str(decision), *sealed]


async def test_after_the_erasure_there_is_no_row_and_no_word_left(
    place: Place, database_urls: DatabaseUrls, repository: Path
) -> None:
    planted = await plant_everywhere(place, database_urls, repository)
    found = {name for name, _ in hits(database_urls.owner, place.project, planted)}
    whose = {name for name, (owner, _) in data_map(repository).items() if owner == "visitors"}
    assert found >= whose - PROOFS - {"answered_request", "rejected_event"}
    # They wanted to know first what is stored of them: all of it, but for answers that name others as well.
    known = await place.ask("POST", "/v1/privacy/requests", json={"kind": "export", "email": EMAIL})
    waiting = await place.ask("POST", "/v1/privacy/requests", json={"kind": "export", "visitor": place.visitor})
    handed = await place.ask("GET", f"/v1/privacy/requests/{known['id']}/export")
    assert set(handed) >= whose - PROOFS - {"answered_request"}
    asked = await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", "email": EMAIL})
    assert await carry_out(place.services.database, place.services.profiles.forget) == 1
    assert hits(database_urls.owner, place.project, [*WORDS, *planted]) == []
    [request] = [
        row for row in (await place.ask("GET", "/v1/privacy/requests"))["requests"] if row["id"] == asked["id"]
    ]
    assert request["who"] == {}
    before = {row["id"]: row for row in (await place.ask("GET", "/v1/privacy/requests"))["requests"]}
    for earlier in (known, waiting):
        assert before[earlier["id"]]["who"] == {}
        assert before[earlier["id"]]["done_at"] is not None
    assert set(request["outcome"]) >= whose - PROOFS
    # A second look finds nobody.
    exported = await place.ask("POST", "/v1/privacy/requests", json={"kind": "export", "email": EMAIL})
    assert await place.ask("GET", f"/v1/privacy/requests/{exported['id']}/export") == {}


async def test_what_was_said_over_http_is_gone_as_well(place: Place, database_urls: DatabaseUrls) -> None:
    session = await fill(place)
    await close(place, session)
    # Everything is sealed, so it is looked for by its sealed forms and by the ids.
    async with place.services.database.transaction(place.project) as tx:
        ring = ring_of(tx)
    marks = [place.visitor, session, *(ring.seal(word, nth) for word in (EMAIL, EMAIL.lower()) for nth in (0, -1))]
    assert {name for name, _ in hits(database_urls.owner, place.project, marks)} >= {
        "visitor",
        "event",
        "session",
        "identity_link",
    }
    await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", "visitor": place.visitor})
    assert await carry_out(place.services.database, place.services.profiles.forget) == 1
    assert hits(database_urls.owner, place.project, [*WORDS, *marks]) == []


async def test_every_process_forgets_the_live_profile_in_memory_and_in_redis(
    place: Place, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    await fill(place)
    redis = RedisServer(tmp_path)
    redis.start()
    other = build(Settings(data_dir=tmp_path, redis_url=redis.url, redis_timeout_seconds=2.0), database_urls)
    await other.profiles.start()
    hearing = Forgetting(database_urls, other.profiles.forget)
    hearing.start()
    visitor = UUID(place.visitor)

    try:
        copy = await other.profiles.take(place.project, visitor, lambda: other.loader.load(place.project, visitor))
        other.profiles.keep(place.project, visitor, copy)
        await until(lambda: _keys(redis))
        mine = await place.services.profiles.take(
            place.project, visitor, lambda: place.services.loader.load(place.project, visitor)
        )
        place.services.profiles.keep(place.project, visitor, mine)
        before = len(place.services.profiles)
        await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", "visitor": place.visitor})

        # A worker elsewhere does it: what it has in memory is not ours.
        assert await carry_out(place.services.database, lambda project, visitor: None) == 1

        async def gone() -> bool:
            return len(place.services.profiles) < before and not await _keys(redis)

        await until(gone)
    finally:
        await hearing.stop()
        await other.profiles.stop()
        await other.loader.close()
        await other.database.close()
        redis.kill()


async def _keys(redis: RedisServer) -> list[bytes]:
    import redis.asyncio as client

    async with client.Redis.from_url(redis.url) as connection:
        return [key async for key in connection.scan_iter()]
