"""Several processes of one shop, built as each would be, and visitors whom a balancer sends to any of them."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
from sqlalchemy import select

from adapters.postgres.engine import DatabaseUrls
from insights.access.keys import create_key
from insights.app import create_app
from insights.models import Decision
from insights.profiles.store import Copy
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from insights.wiring.services import Services, build

CART = {"product_id": "moka", "category": "brewers", "price_minor": 2900, "quantity": 1, "currency": "EUR"}


class Process:
    """One process, without a socket between it and its visitors."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(services)),  # type: ignore[arg-type]
            base_url="http://api.test",
        )
        services.recorder.start()

    async def stop(self) -> None:
        await self.client.aclose()
        await self.services.stop()
        await self.services.database.close()

    async def load(self, project_id: UUID, visitor_id: UUID) -> None:
        """Fetches the visitor's profile as a request would."""
        services = self.services
        copy = await services.profiles.take(
            project_id, visitor_id, lambda: services.loader.load(project_id, visitor_id)
        )
        services.profiles.keep(project_id, visitor_id, copy)

    async def copy_at_hand(self, project_id: UUID, visitor_id: UUID) -> Copy | None:
        """The copy that the next request would find without asking PostgreSQL; None when there is none."""

        async def nothing() -> Copy:
            raise LookupError

        try:
            copy = await self.services.profiles.take(project_id, visitor_id, nothing)
        except LookupError:
            return None
        self.services.profiles.keep(project_id, visitor_id, copy)
        return copy


class Shop:
    """A project of its own on some processes. ``route`` says which of them gets a request."""

    def __init__(self, processes: list[Process], project_id: UUID, key: str) -> None:
        self.processes = processes
        self.project_id = project_id
        self.key = key

    async def stored(self, visitor_id: UUID) -> Copy:
        """What a process that knows nothing builds from the database."""
        return await self.processes[0].services.loader.load(self.project_id, visitor_id)

    async def decisions(self, visitor_id: UUID) -> list[Decision]:
        async with self.processes[0].services.database.transaction(self.project_id) as tx:
            rows = await tx.scalars(
                select(Decision).where(Decision.visitor_id == visitor_id).order_by(Decision.decided_at, Decision.id)
            )
            return list(rows)


def batch_of(path: str, *events: tuple[str, dict[str, Any]], after_ms: int = 0) -> dict[str, Any]:
    """Events that happen now, but after ``after_ms``, on one page; whose they are is for the caller to say."""
    url = f"https://shop.example{path}"
    made = []
    at_ms = after_ms
    for seq, (kind, props) in enumerate(events):
        at_ms = max(at_ms + 1, int(time.time() * 1000))
        if kind == "page_viewed":
            props = {"url": url, "path": path, **props}
        made.append({"id": str(uuid7(at_ms)), "t": at_ms, "seq": seq, "type": kind, "props": props})
    return {"tab": "t", "page": {"url": url}, "events": made}


class Visitor:
    """Somebody whose requests ``route`` sends to one process or another."""

    def __init__(self, shop: Shop, route: Callable[[], Process]) -> None:
        self.shop = shop
        self.route = route
        # As a browser makes them that was never here before, both at once.
        self.id = uuid7()
        self.session = uuid7()
        self.at_ms = 0
        self.seq = 0
        self.got: list[dict[str, Any]] = []

    def batch(self, path: str, *events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        """Events that happen now, on one page."""
        made = batch_of(path, *events, after_ms=self.at_ms)
        self.at_ms = made["events"][-1]["t"]
        self.seq += len(events)
        return {"visitor": str(self.id), "session": str(self.session), **made}

    async def post(self, batch: dict[str, Any], process: Process | None = None) -> httpx.Response:
        process = process or self.route()
        answer = await process.client.post("/v1/events", params={"key": self.shop.key, "v": str(self.id)}, json=batch)
        if answer.status_code == 200 and answer.json()["action"] is not None:
            self.got.append(answer.json()["action"])
        return answer

    async def do(self, path: str, *events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        answer = await self.post(self.batch(path, *events))
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        assert body["accepted"] == len(events)
        return body

    async def browse(self, chance: random.Random) -> None:
        """One request of a visit, drawn by ``chance``."""
        goods = {**CART, "product_id": f"p{chance.randrange(4)}", "price_minor": chance.randrange(900, 3000)}
        match chance.randrange(8):
            case 0:
                await self.do("/", ("page_viewed", {}), ("scrolled", {"depth": chance.random()}))
            case 1 | 2:
                seen = {name: value for name, value in goods.items() if name != "quantity"}
                path = f"/product/{goods['product_id']}"
                await self.do(path, ("page_viewed", {}), ("product_viewed", seen), ("engaged", {"ms": 900}))
            case 3:
                await self.do("/", ("cart_added", {**goods, "cart_value_minor": 2900}))
            case 4 | 5:
                await self.do("/cart", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
            case 6:
                await self.do("/", ("rage_click", {"selector": "#buy", "count": 4}), ("reviews_viewed", {"count": 3}))
            case 7:
                await self.do("/returns", ("page_viewed", {}), ("identified", {"email": "ada@example.org"}))


@asynccontextmanager
async def opened(urls: DatabaseUrls, folder: Path, processes: int = 2, **settings: Any) -> AsyncIterator[Shop]:
    """A new project on so many processes with these settings."""
    async with AsyncExitStack() as stack:
        running = []
        for _ in range(processes):
            process = Process(build(Settings(data_dir=folder, **settings), urls))
            stack.push_async_callback(process.stop)
            await process.services.profiles.start()
            running.append(process)
        key = await create_key(running[0].services.database, f"shop-{uuid4()}", "write", [])
        yield Shop(running, key.project_id, key.key)


def fields(copy: Copy | None) -> dict[str, Any] | None:
    """A copy's profile and version, to compare."""
    return None if copy is None else {**msgspec.structs.asdict(copy.profile), "version": copy.version}
