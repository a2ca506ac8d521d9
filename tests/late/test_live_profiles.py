"""The live profile is the same in whatever order requests arrive, at whichever process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.engine import DatabaseUrls
from tests.late.arrivals import PAUSE, UNSHRUNK, Batch, Step, arrivals, stories, told
from tests.live.shop import Process, Shop, fields, opened


@pytest.fixture
async def shops(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[tuple[Shop, Shop]]:
    """Two projects in which the same may happen, the second on two processes."""
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(opened(database_urls, tmp_path, processes=1)),
            await stack.enter_async_context(opened(database_urls, tmp_path, processes=2)),
        )


async def post(shop: Shop, process: Process, batch: Batch) -> None:
    body = {
        "visitor": str(batch.visitor),
        "session": str(batch.session),
        "tab": batch.tab,
        "events": [
            {"id": str(e.id), "t": e.t, "type": e.type, "seq": e.seq, "props": e.props, "url": e.url}
            for e in batch.events
        ],
    }
    answer = await process.client.post("/v1/events", params={"key": shop.key, "v": str(batch.visitor)}, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] + answer.json()["duplicates"] == len(batch.events)


async def stored(shop: Shop, visitor: UUID) -> dict[str, Any]:
    found = fields(await shop.stored(visitor))
    assert found is not None
    return found


@settings(max_examples=25, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories(), st.data())
async def test_any_order_and_any_copies_leave_the_same_live_profile(
    shops: tuple[Shop, Shop], story: list[list[Step]], data: st.DataObject
) -> None:
    in_order, as_it_came = shops
    # Old enough that nothing is decided on it: what is shown may well depend on what was known.
    batches = told(story, int(time.time() * 1000) - 4 * 86_400_000)
    visitor = batches[0].visitor
    for batch in batches:
        await post(in_order, in_order.processes[0], batch)
    expected = await stored(in_order, visitor)
    assert fields(await in_order.processes[0].copy_at_hand(in_order.project_id, visitor)) == expected
    for number in data.draw(arrivals(len(batches))):
        if number != PAUSE:
            await post(as_it_came, data.draw(st.sampled_from(as_it_came.processes)), batches[number])
    assert await stored(as_it_came, visitor) == expected
    for process in as_it_came.processes:
        at_hand = await process.copy_at_hand(as_it_came.project_id, visitor)
        # One that counts less knows that it lacks something, and finds out with what it writes next.
        if at_hand is not None and at_hand.version == expected["version"]:
            assert fields(at_hand) == expected
