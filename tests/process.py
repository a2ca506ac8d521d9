"""A process of the product for a test: its services, its application without a socket between, a project with keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx

from adapters.postgres.engine import DatabaseUrls
from insights.access.keys import create_key
from insights.app import create_app
from insights.settings import Settings
from insights.wiring.services import Services, build

SHOP = "https://shop.example"


@dataclass(frozen=True)
class Process:
    """``write`` and ``secret`` are keys of a project of its own."""

    services: Services
    client: httpx.AsyncClient
    project_id: UUID
    write: str
    secret: str


@asynccontextmanager
async def running(
    settings: Settings, urls: DatabaseUrls, *, origins: Sequence[str] = (SHOP,), address: str = "127.0.0.1"
) -> AsyncIterator[Process]:
    """A process that records; nothing else of it runs by itself. ``address``: where its client's requests come from."""
    services = build(settings, urls)
    services.recorder.start()
    name = f"shop-{uuid4()}"
    write = await create_key(services.database, name, "write", list(origins))
    secret = await create_key(services.database, name, "secret", [])
    transport = httpx.ASGITransport(create_app(services), client=(address, 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield Process(services, client, write.project_id, write.key, secret.key)
    await services.stop()
    await services.database.close()
