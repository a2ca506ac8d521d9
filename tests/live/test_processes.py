"""Real processes that share one port, where the system deals out connections: every request of a visitor may land at
another of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from adapters.postgres.engine import Database, DatabaseUrls
from insights.access.keys import create_key
from insights.models import Decision
from insights.vocabulary.ids import uuid7
from insights.worker import ensure_partitions
from tests.live.conftest import RedisServer
from tests.live.shop import CART, batch_of
from tests.processes.started import Started, environment, retried

WORKERS = 2


@dataclass
class Group:
    api: Started
    project_id: UUID
    key: str
    database: Database

    async def send(
        self, visitor: dict[str, str], path: str, *events: tuple[str, dict[str, object]]
    ) -> dict[str, object]:
        url = f"{self.api.url}/v1/events?key={self.key}"
        batch = {**visitor, **batch_of(path, *events)}
        # A connection of its own each time. One of the processes may be starting still.
        async with httpx.AsyncClient(timeout=30) as client:
            body = await retried(client, url, batch)
        assert body["accepted"] == len(events)
        return body

    async def counted(self, name: str) -> list[float]:
        """A number of each process."""
        found = re.findall(rf"^{name}{{[^}}]*}} (\S+)$", await self.api.metrics(), re.MULTILINE)
        assert len(found) == WORKERS, found
        return [float(value) for value in found]


@pytest.fixture
async def group(database_urls: DatabaseUrls, tmp_path: Path, redis: RedisServer) -> AsyncIterator[Group]:
    database = Database(database_urls)
    await ensure_partitions(database)
    made = await create_key(database, f"shop-{uuid4()}", "write", [])
    settings = {
        "WHYLEFT_REDIS_URL": redis.url,
        "WHYLEFT_REDIS_TIMEOUT_SECONDS": "2",
        "WHYLEFT_ACTION_GAP_SECONDS": "0",
    }
    api = Started(environment(database_urls, tmp_path, **settings), "api", "--workers", str(WORKERS))
    try:
        await api.ready()
        yield Group(api, made.project_id, made.key, database)
    finally:
        await api.stop()
        await database.close()


async def test_visitors_driven_from_process_to_process_are_known_and_not_pestered(
    group: Group, redis: RedisServer
) -> None:
    visitors = [{"visitor": str(uuid4()), "session": str(uuid7())} for _ in range(6)]
    shown: dict[str, list[str]] = {visitor["visitor"]: [] for visitor in visitors}
    for turn in range(8):
        for visitor in visitors:
            if turn == 0:
                filled = ("cart_added", {**CART, "cart_value_minor": 2900})
                answer = await group.send(visitor, "/product/moka", ("page_viewed", {}), filled)
            else:
                answer = await group.send(visitor, "/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
            if isinstance(action := answer["action"], dict):
                shown[visitor["visitor"]].append(action["decision_id"])
        if turn == 4:
            assert sum(await group.counted("whyleft_profiles_stale_total")) == 0
            redis.kill()
    for visitor, decisions in shown.items():
        async with group.database.transaction(group.project_id) as tx:
            rows = await tx.scalars(
                select(Decision.id)
                .where(Decision.visitor_id == UUID(visitor), Decision.action != "do_nothing")
                .order_by(Decision.decided_at)
            )
        assert [str(row) for row in rows] == decisions
        # The cart was known wherever they turned up, and nobody was asked to stay more than once.
        assert 1 <= len(decisions) <= 2
    assert 1.0 in await group.counted("whyleft_live_store_lost")
