"""Many flows of one project that all hang: the turns that are left are the other projects'."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from adapters.postgres.engine import Database
from flows import runner as runners
from insights.models import Project
from tests.flows.hanging import ByFlow, Hanging, hanging_once_reached
from tests.flows.world import World, plan


async def test_a_project_whose_sends_all_hang_delays_no_other(
    database: Database, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "TURNS", 8)
    monkeypatch.setattr(runners, "TURNS_OF_A_PROJECT", 6)
    monkeypatch.setattr(runners, "TURNS_OF_A_FLOW", 2)
    other = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=other, name=f"shop-{other}", allowed_origins=[]))
    hanging, good = World(database, project_id), World(database, other)
    hanging.provider = provider = Hanging()
    hanging.composer = ByFlow()  # type: ignore[assignment]
    for n in range(5):
        await hanging.publish(
            plan({"a": {"do": "send", "action": "send_email", "params": {"hangs": True}}}, name=f"poison {n}")
        )
    for _ in range(10):
        await hanging.start()
    await good.publish(plan())
    for _ in range(10):
        await good.start()
    assert await hanging_once_reached(hanging, provider, 10) <= 6
