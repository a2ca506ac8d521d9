"""A key that sends more than it may: what is taken of it is begun while nothing of others is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from adapters.postgres.engine import DatabaseUrls
from insights.access.keys import create_key
from insights.events import lulls
from insights.events.entry import Entry
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from tests.process import running


async def test_a_request_of_a_flood_waits_for_a_lull_of_the_others(
    database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lulls, "LONGEST_SECONDS", 3600.0)
    async with running(Settings(data_dir=tmp_path), database_urls) as process:
        recorder = process.services.recorder
        quiet = await create_key(process.services.database, f"quiet-{uuid4()}", "write", [])
        through, under_way, waits = asyncio.Event(), asyncio.Event(), asyncio.Event()
        write, run = recorder._writing.write, recorder._lulls.run

        async def held_up(entries: Sequence[Entry]) -> Any:
            if entries[0].project_id == quiet.project_id:
                under_way.set()
                await through.wait()
            return await write(entries)

        def seen(project_id: UUID, step: Callable[[], None]) -> None:
            run(project_id, step)
            waits.set()

        async def sent(key: str) -> httpx.Response:
            event = {"id": str(uuid7()), "t": 1_790_000_000_000, "type": "clicked", "props": {}}
            batch = {"visitor": str(uuid4()), "session": str(uuid7()), "tab": "t", "events": [event]}
            return await process.client.post("/v1/events", params={"key": key}, json=batch)

        assert (await sent(quiet.key)).status_code == 200
        recorder.turned_away(process.project_id)
        monkeypatch.setattr(recorder._writing, "write", held_up)
        monkeypatch.setattr(recorder._lulls, "run", seen)
        async with asyncio.timeout(20):
            theirs = asyncio.create_task(sent(quiet.key))
            await under_way.wait()
            queued = recorder.queued
            floods = asyncio.create_task(sent(process.write))
            await waits.wait()
            assert recorder.queued == queued
            through.set()
            assert [answer.status_code for answer in await asyncio.gather(theirs, floods)] == [200, 200]
