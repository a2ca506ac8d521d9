"""How long the viewer's server takes for each page with a million events stored: `python -m bench.viewer --long`.

A month of visits is written with COPY into a database of its own (bench/viewer_shop). Every page that the viewer has is
asked for through the whole application in this process, without a socket, beside a page that only renders a template:
the addresses are taken from the viewer's own routes, so a page that somebody adds is measured, or named as missing.
Without --long a tenth is stored: half a minute, for a glance. What is quoted comes from --long.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
from sqlalchemy import select

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import DatabaseUrls
from bench.report import Figure, report
from bench.viewer_shop import fill
from flows.models import Flow
from insights.access.keys import create_key
from insights.app import create_app
from insights.models import Pattern, Session
from insights.recovery.publish import publish_starter_flows
from insights.settings import Settings
from insights.shipped import shipped
from insights.wiring.services import Services, build
from insights.worker import ensure_partitions
from tests.viewer.furnish import SEGMENTS, furnish
from tests.viewer.tour import routes

EVENTS = 1_000_000
BAR_MS = 150.0

FILTERS: Mapping[str, str] = {
    "a reason": "reason=distraction",
    "a kind": "kind=converted",
    "open": "state=open",
    "a page": "page=/cart",
    "pages below": "page=/product/1*",
    "a source": "source=newsletter",
    "a device": "device=phone",
    "a source and device": "source=newsletter&device=phone",
    "a stage": "stage=cart_adder",
    "an action": "action=discount_popup",
    "orders": "purchased=yes",
    "carts left": "left_cart=yes",
    "a text nobody said": "text=v42@",
    "a text everybody said": "text=kettle",
    "part of an id": "text=abc123",
    "last week": "when=7d",
}
"""What the list of sessions is filtered by."""

STATES: Mapping[str, tuple[str, ...]] = {
    "/reports": ("?days=90", "?days=90&by=country", "?days=90&by=device", "?days=90&split=2026-11-10"),
    "/reports/sessions": ("?days=90&reason=distraction",),
    "/reports/mix.csv": ("?days=90",),
    "/patterns": ("?show=all",),
    "/lift": ("?by=page&days=7",),
    "/settings/changes": ("?subject=flow",),
}
"""Other states of a page, worth a figure of their own."""

NOT_LOOKED_AT = frozenset({"/sessions/tail", "/v1/{rest:path}", "/login", "/invitation", "/forgotten", "/password"})
"""A stream that does not end, the API for our own scripts, and pages of people who are not logged in."""


def addresses(paths: list[str], known: Mapping[str, UUID | str]) -> dict[str, str]:
    """Name of a page → its address. Raises KeyError for a parameter that nobody knows a value of."""
    found = {"sessions, of a flow": f"/sessions?flow={known['flow_id']}"}
    found |= {f"sessions, {name}": f"/sessions?{query}" for name, query in FILTERS.items()}
    for path in paths:
        for query in ("", *STATES.get(path, ())):
            found[path + query] = path.format(**known) + query
    return found


async def measure(client: httpx.AsyncClient, path: str, times: int) -> tuple[float, int]:
    """The median of ``times`` milliseconds after one to warm up, and the size of the page."""
    answer = await client.get(f"/app{path}")
    assert answer.status_code in (200, 303), (path, answer.status_code, answer.text[:300])
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await client.get(f"/app{path}")
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), len(answer.content)


async def bare_page(client: httpx.AsyncClient, times: int) -> float:
    """A page that says only that there is no such thing: login, template, nothing read."""
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        answer = await client.get("/app/sessions/none")
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 404
    return statistics.median(took[1:])


async def shop(services: Services, owner_url: str, project_id: UUID, events: int) -> dict[str, UUID | str]:
    """Fills the project; what the parameters of the viewer's addresses may be."""
    now = datetime.now(UTC)
    furnished = await furnish(services, project_id, now)
    async with services.database.transaction(project_id) as tx:
        await publish_starter_flows(tx, project_id, now)
        flow = await tx.scalar(
            select(Flow).where(Flow.project_id == project_id, Flow.version_id.is_not(None)).order_by(Flow.name)
        )
    assert flow is not None and flow.version_id is not None
    sessions = await asyncio.to_thread(fill, owner_url, project_id, (flow.id, flow.version_id), events)
    await services.looker.look(project_id)
    async with services.database.transaction(project_id) as tx:
        visitor = (await tx.get_one(Session, (project_id, sessions[len(sessions) // 2]))).visitor_id
        pattern = await tx.scalar(select(Pattern.id).where(Pattern.project_id == project_id))
    assert pattern is not None, "the broken checkout was not found"
    return {
        "session_id": sessions[-200],
        "visitor_id": visitor,
        "flow_id": flow.id,
        "pattern_id": pattern,
        "policy_id": furnished.policy_id,
        "segment": SEGMENTS[0][0],
        "entry": str(furnished.entry_id),
    }


async def main() -> None:
    events, times = (EVENTS, 9) if "--long" in sys.argv else (EVENTS // 10, 5)
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
        services = build(Settings(data_dir=Path(folder)), urls)
        key = await create_key(services.database, "bench", "secret", [])
        await ensure_partitions(services.database)
        began = time.perf_counter()
        known = await shop(services, server.owner_url, key.project_id, events)
        figures = [
            Figure("events stored", events, "events"),
            Figure("written in", round(time.perf_counter() - began, 1), "s"),
        ]
        app = create_app(services)
        paths = [route.path for route in routes(app) if "GET" in (route.methods or ())]
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://bench.test") as client:
            form = (await client.get("/app/login")).text
            hidden = form.split('name="token" value="', 1)[1].split('"', 1)[0]
            await client.post("/app/login", data={"key": key.key, "token": hidden})
            bare = await bare_page(client, times)
            figures.append(Figure("a page with nothing on it", round(bare, 1), "ms"))
            for name, path in addresses([path for path in paths if path not in NOT_LOOKED_AT], known).items():
                took, size = await measure(client, path, times)
                peer = {"bare page ms": round(bare, 1), "bytes": size}
                figures.append(Figure(name, round(took, 1), "ms, median", BAR_MS, took <= BAR_MS, times, peer))
        await services.database.close()
    report("viewer", figures)


if __name__ == "__main__":
    asyncio.run(main())
