"""Somebody who was erased is not made known anew by what a browser, or a shop's server, still had of them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from adapters.postgres.engine import DatabaseUrls
from insights.models import ErasedVisitor, Event, RejectedEvent, Session, Visitor
from insights.privacy.requests import ask, carry_out
from insights.privacy.retention import retain
from insights.settings import Settings
from tests.api.conftest import Api, api
from tests.process import running

__all__ = ["api"]


async def erase(api: Api, **who: Any) -> None:
    asked = await api.client.post("/v1/privacy/requests", headers=api.headers, json={"kind": "erase", **who})
    assert asked.status_code == 201, asked.text
    assert await carry_out(api.services.database, api.services.forgetting.forget) == 1


async def rows(api: Api) -> tuple[int, int, int]:
    """How many visitors, events and refused ones the project has."""
    async with api.services.database.transaction(api.project_id) as tx:
        counts = [
            await tx.scalar(select(func.count()).select_from(table).where(table.project_id == api.project_id))
            for table in (Visitor, Event, RejectedEvent)
        ]
    return counts[0] or 0, counts[1] or 0, counts[2] or 0


def kept(api: Api) -> dict[str, Any]:
    """What a browser tells of its visitor, the last of it refused."""
    return api.batch(
        api.event("page_viewed", {"url": "https://shop.example/a"}, seq=0),
        api.event("identified", {"email": "ada@shop.example"}, seq=1),
        api.event("clicked", {"label": 7}, seq=2),
    )


async def test_a_batch_that_a_browser_kept_brings_nobody_back(api: Api) -> None:
    batch = kept(api)
    assert (await api.send(batch)).json()["accepted"] == 2
    assert await rows(api) == (1, 2, 1)
    await erase(api, visitor=batch["visitor"])
    answer = await api.send(batch)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (200, 0, [])
    assert await rows(api) == (0, 0, 0)
    # Who is here after that is somebody new, in the same browser and by the same id.
    await asyncio.sleep(0.002)
    again = api.batch(api.event("page_viewed", seq=3), visitor=batch["visitor"])
    assert (await api.send(again)).json()["accepted"] == 1
    assert (await api.send({**batch, "events": [*batch["events"], *again["events"]]})).json()["accepted"] == 1
    assert (await rows(api))[:2] == (1, 2)


async def test_what_is_on_its_way_while_its_visitor_is_erased_brings_nobody_back(api: Api) -> None:
    batch = kept(api)
    await api.send(batch)
    more = {**kept(api), "visitor": batch["visitor"], "session": batch["session"]}
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(select(Session).with_for_update())
        erasing = asyncio.create_task(erase(api, visitor=batch["visitor"]))
        await waiting(api, 1)
        sending = asyncio.create_task(api.send(more))
        await waiting(api, 2)
    await erasing
    assert (await sending).json()["accepted"] == 2
    await carry_out(api.services.database, api.services.forgetting.forget)
    assert await rows(api) == (0, 0, 0)
    # Whoever is still there then is somebody new, and stays.
    await asyncio.sleep(0.002)
    again = api.batch(api.event("page_viewed", seq=3), visitor=batch["visitor"], session=batch["session"])
    assert (await api.send(again)).json()["accepted"] == 1
    await carry_out(api.services.database, api.services.forgetting.forget)
    assert (await rows(api))[:2] == (1, 1)


async def waiting(api: Api, many: int) -> None:
    """Returns when so many wait for a lock."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(20), api.services.database.transaction(None) as tx:
        while (await tx.scalar(asked) or 0) < many:
            await tx.execute(text("SELECT pg_stat_clear_snapshot()"))


async def test_other_visitors_are_told_of_as_before(api: Api) -> None:
    batch, other = kept(api), kept(api)
    await api.send(batch)
    await erase(api, visitor=batch["visitor"])
    assert (await api.send(other)).json()["accepted"] == 2


async def test_what_a_server_tells_late_brings_nobody_back(api: Api) -> None:
    order: dict[str, Any] = {
        "type": "track", "event": "Order Completed", "userId": "1815", "messageId": "m-1",
        "timestamp": (datetime.now(UTC) - timedelta(hours=2)).isoformat(),
        "properties": {"order_id": "A-1", "total": 10, "currency": "EUR"},
    }  # fmt: skip
    sent = await api.client.post("/v1/batch", headers=api.headers, json={"batch": [order]})
    assert sent.status_code == 200
    assert (await rows(api))[0] == 1
    await erase(api, user_id="1815")
    assert (await rows(api))[:2] == (0, 0)
    late = {**order, "messageId": "m-2", "properties": {**order["properties"], "order_id": "A-2"}}
    assert (await api.client.post("/v1/batch", headers=api.headers, json={"batch": [order, late]})).status_code == 200
    assert (await rows(api))[:2] == (0, 0)


async def test_other_processes_know_of_it_and_so_do_those_that_start_later(
    api: Api, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    batch = kept(api)
    await api.send(batch)
    await erase(api, visitor=batch["visitor"])
    async with running(Settings(data_dir=tmp_path), database_urls) as later:
        answer = await later.client.post("/v1/events", params={"key": api.write}, json=batch)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert await rows(api) == (0, 0, 0)


async def test_a_whole_shop_that_was_erased_stays_so(api: Api) -> None:
    batches = [kept(api) for _ in range(3)]
    for batch in batches:
        await api.send(batch)
    async with api.services.database.transaction(api.project_id) as tx:
        await ask(tx, api.project_id, "erase_shop", {}, "the shop", datetime.now(UTC))
    assert await carry_out(api.services.database, api.services.forgetting.forget) == 1
    for batch in batches:
        assert (await api.send(batch)).json()["accepted"] == 0
    assert await rows(api) == (0, 0, 0)


async def test_what_is_remembered_names_nobody_and_goes_after_a_while(api: Api) -> None:
    batch = kept(api)
    await api.send(batch)
    await erase(api, visitor=batch["visitor"])
    here = ErasedVisitor.project_id == api.project_id
    async with api.services.database.transaction(api.project_id) as tx:
        [digest] = await tx.scalars(select(ErasedVisitor.digest).where(here))
        assert UUID(batch["visitor"]).bytes not in digest
        assert len(digest) == 16
        await tx.execute(update(ErasedVisitor).where(here).values(erased_at=datetime.now(UTC) - timedelta(days=91)))
    await retain(api.services.database, 0, datetime.now(UTC))
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(ErasedVisitor).where(here)) == 0


@pytest.mark.parametrize("behind", [-300_000, 300_000])
async def test_a_clock_that_is_wrong_is_allowed_for(api: Api, behind: int) -> None:
    """``behind``: milliseconds that the browser's clock is behind ours."""

    def told(batch: dict[str, Any], **more: Any) -> dict[str, Any]:
        moved = [{**event, "t": event["t"] - behind} for event in batch["events"]]
        return {**batch, "events": moved, "sent_at": int(time.time() * 1000) - behind, **more}

    batch = told(kept(api))
    assert (await api.send(batch)).json()["accepted"] == 2
    await erase(api, visitor=batch["visitor"])
    assert (await api.send({**batch, "sent_at": int(time.time() * 1000) - behind})).json()["accepted"] == 0
    await asyncio.sleep(0.05)
    assert (await api.send(told(api.batch(api.event("clicked"), visitor=batch["visitor"])))).json()["accepted"] == 1
