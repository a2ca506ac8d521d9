"""What operators read of running processes."""

from __future__ import annotations

import re

import httpx

from adapters.telemetry.exposition import merged
from adapters.telemetry.stages import INGEST
from tests.e2e.server import until
from tests.processes.conftest import Installation
from tests.processes.started import Started, batch, retried


def _sum(text: str, name: str, **labels: str) -> float:
    """The sum of a sample over all processes."""
    found = 0.0
    for line in text.splitlines():
        matched = re.match(rf"{name}\{{(.*)\}} (\S+)$", line)
        if matched and all(f'{key}="{value}"' in matched[1] for key, value in labels.items()):
            found += float(matched[2])
    return found


async def _post(installation: Installation, process: Started, count: int) -> None:
    limits = httpx.Limits(max_keepalive_connections=0)  # a new connection each, so that every process gets some
    async with httpx.AsyncClient(timeout=30, limits=limits) as client:
        for _ in range(count):
            await retried(client, installation.events(process), batch())


async def test_every_stage_of_a_request_and_what_became_of_its_events_is_counted(installation: Installation) -> None:
    process = await installation.ready("api")
    async with httpx.AsyncClient(timeout=30) as client:
        body = batch()
        await retried(client, installation.events(process), body)
        await retried(client, installation.events(process), body)
        body["events"][0]["type"] = 7
        await retried(client, installation.events(process), batch() | {"events": [body["events"][0]]})
        assert (await client.post(f"{process.url}/v1/events", json=body)).status_code == 401
    text = await process.metrics()
    for stage in INGEST:
        assert _sum(text, "whyleft_stage_seconds_count", stage=stage) >= 1, stage
    assert _sum(text, "whyleft_stage_seconds_count", stage="encode") == 3
    assert _sum(text, "whyleft_events_total", outcome="accepted") == 3
    assert _sum(text, "whyleft_events_total", outcome="duplicate") == 3
    assert _sum(text, "whyleft_events_total", outcome="rejected") == 1
    assert _sum(text, "whyleft_event_requests_total", status="200") == 3
    assert _sum(text, "whyleft_event_requests_total", status="401") == 1
    assert _sum(text, "whyleft_flush_events_count") >= 2


async def test_one_address_shows_every_process_of_a_group(installation: Installation) -> None:
    process = await installation.ready("api", "--workers", "2")

    async def both() -> str | None:
        await _post(installation, process, 4)
        text = await process.metrics()
        served = [_sum(text, "whyleft_events_total", outcome="accepted", process=str(n)) for n in range(2)]
        return text if all(served) else None

    text = await until(both)
    assert text.count("# TYPE whyleft_events_total counter") == 1


async def test_on_the_public_port_metrics_are_for_who_has_the_token(installation: Installation) -> None:
    process = await installation.ready("api", WHYLEFT_METRICS_TOKEN="a-long-enough-token")
    async with httpx.AsyncClient() as client:
        for headers in ({}, {"Authorization": "Bearer another"}):
            assert (await client.get(f"{process.url}/metrics", headers=headers)).status_code == 404
        answer = await client.get(f"{process.url}/metrics", headers={"Authorization": "Bearer a-long-enough-token"})
    assert answer.status_code == 200
    assert "whyleft_stage_seconds" in answer.text


async def test_a_worker_counts_what_it_closed_and_how_late(installation: Installation) -> None:
    api = await installation.ready("api")
    await _post(installation, api, 2)
    worker = await installation.ready("worker")

    async def closed() -> str | None:
        text = await worker.metrics()
        return text if _sum(text, "whyleft_sessions_closed_total") >= 2 else None

    text = await until(closed)
    assert _sum(text, "whyleft_insights_total", fallback="") == _sum(text, "whyleft_sessions_closed_total")
    assert _sum(text, "whyleft_work_seconds_count", work="close.write") >= 1
    assert "whyleft_work_lag_seconds" in text


def test_texts_of_several_processes_become_one_with_each_family_once() -> None:
    one = '# HELP a An a.\n# TYPE a counter\na{x="1"} 1.0\n# HELP b A b.\n# TYPE b gauge\nb 2.0\n'
    two = '# HELP a An a.\n# TYPE a counter\na{x="1"} 3.0\n'
    assert merged({"0": one, "1": two}) == (
        "# HELP a An a.\n# TYPE a counter\n"
        'a{process="0",x="1"} 1.0\na{process="1",x="1"} 3.0\n'
        '# HELP b A b.\n# TYPE b gauge\nb{process="0"} 2.0\n'
    )
