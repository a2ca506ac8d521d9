"""The application on a real database, without a socket between."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from adapters.postgres.engine import DatabaseUrls
from insights.access.keys import create_key
from insights.app import create_app
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from insights.wiring.services import Services, build

SHOP = "https://shop.example"


class Api:
    """A client of the application with the keys of a project of its own."""

    def __init__(
        self, services: Services, client: httpx.AsyncClient, project_id: UUID, write: str, secret: str
    ) -> None:
        self.services = services
        self.client = client
        self.project_id = project_id
        self.write = write
        self.secret = secret
        self.headers = {"authorization": f"Bearer {secret}"}

    def event(self, type: str = "clicked", props: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
        now = int(time.time() * 1000)
        return {"id": str(uuid7(now)), "t": now, "type": type, "props": props or {}, **other}

    def batch(self, *events: Any, **other: Any) -> dict[str, Any]:
        return {"visitor": str(uuid4()), "session": str(uuid7()), "tab": "t", "events": list(events), **other}

    async def send(self, batch: dict[str, Any], **options: Any) -> httpx.Response:
        return await self.client.post("/v1/events", params={"key": self.write}, json=batch, **options)


@pytest.fixture
async def api(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Api]:
    services = build(Settings(data_dir=tmp_path), database_urls)
    services.recorder.start()
    name = f"shop-{uuid4()}"
    write = await create_key(services.database, name, "write", [SHOP])
    secret = await create_key(services.database, name, "secret", [])
    transport = httpx.ASGITransport(create_app(services))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield Api(services, client, write.project_id, write.key, secret.key)
    await services.stop()
    await services.database.close()
