"""Lists over HTTP: page by page, and by an index, however much there is that is not asked for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, insert, text

from flows.definition import FlowDefinition
from flows.models import FlowRun
from insights.recovery.publish import publish_flow
from tests.api.conftest import Api

A_SORT = re.compile(r"^ *(-> +)?Sort  ", re.MULTILINE)
A_FILTER = re.compile(r"^ *Filter:", re.MULTILINE)


async def test_runs_of_several_flows_come_newest_first_and_page_by_page(api: Api) -> None:
    now = datetime.now(UTC)
    async with api.services.database.transaction(api.project_id) as tx:
        flows = []
        for name in ("one", "two"):
            steps = {"a": {"do": "exit", "reason": "done"}}
            plan = FlowDefinition.model_validate({"name": name, "trigger": {"on": "api"}, "start": "a", "steps": steps})
            flows.append(await publish_flow(tx, api.project_id, plan, now))
        # Two at a time begin in the same moment, so that pages end between them.
        began = [now - timedelta(minutes=n // 2) for n in range(10)]
        rows = [_run(api, flows[n % 3 == 0], at) for n, at in enumerate(began)]
        await tx.execute(insert(FlowRun), rows)
    expected = sorted(rows, key=lambda row: (row["started_at"], row["id"]), reverse=True)
    assert await _pages(api, {"limit": 3}) == [str(row["id"]) for row in expected]
    of_one = [str(row["id"]) for row in expected if row["flow_id"] == flows[0].flow_id]
    assert await _pages(api, {"limit": 4, "flow": str(flows[0].flow_id)}) == of_one
    refused = await api.client.get("/v1/runs", params={"cursor": "2026-11-22"}, headers=api.headers)
    assert (refused.status_code, refused.json()["field"]) == (400, "cursor")


def _run(api: Api, version: Any, at: datetime) -> dict[str, Any]:
    return {
        "project_id": api.project_id,
        "id": uuid4(),
        "flow_id": version.flow_id,
        "version_id": version.id,
        "visitor_id": uuid4(),
        "trigger_key": str(uuid4()),
        "trigger_group": "",
        "triggered_at": at,
        "facts": {},
        "exit_on_conversion": False,
        "status": "done",
        "step": "a",
        "waiting": False,
        "signalled": False,
        "attempts": 0,
        "started_at": at,
    }


async def _pages(api: Api, wanted: dict[str, Any]) -> list[str]:
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await api.client.get("/v1/runs", params={**wanted, **cursor}, headers=api.headers)
        page = answer.raise_for_status().json()
        found += [run["id"] for run in page["runs"]]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize(
    ("path", "sorts"),
    [
        ("/v1/sessions", 0),
        ("/v1/runs", 1),  # the newest of each flow, once they are found
        ("/v1/runs?flow=0d7c5a1e-93f2-4b6e-8a41-5f6b7d2c9e10", 1),
        ("/v1/runs/dead", 0),
        ("/v1/deliveries", 0),
        ("/v1/deliveries?status=rejected", 0),
        ("/v1/audit", 0),
    ],
)
async def test_a_list_reads_no_more_than_its_page(api: Api, path: str, sorts: int) -> None:
    engine = api.services.database.engine.sync_engine
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        (await api.client.get(path, headers=api.headers)).raise_for_status()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    [(statement, parameters)] = [one for one in asked if "LIMIT" in one[0]]
    async with api.services.database.transaction(api.project_id) as tx:
        # What is left to sort then is sorted because no index has the order.
        for way in ("seqscan", "bitmapscan", "sort"):
            await tx.execute(text(f"SET LOCAL enable_{way} = off"))
        connection = await tx.connection()
        plan = "\n".join(row[0] for row in await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
    assert len(A_SORT.findall(plan)) == sorts and not A_FILTER.search(plan), plan
