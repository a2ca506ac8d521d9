"""A process with its database, and a model that listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
import structlog

from adapters.postgres.engine import Database, DatabaseUrls
from insights import logs
from insights.access.keys import create_key
from insights.app import create_app
from insights.settings import Settings
from insights.wiring.services import build
from tests.llm.endpoint import Endpoint, listening
from tests.privacy.place import Place
from tests.privacy.world import World, made


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with listening() as endpoint:
        endpoint.replies = [{"reason": "unclear", "confidence": 0.9, "narrative": "They left.", "evidence": []}]
        yield endpoint


@pytest.fixture
async def place(database_urls: DatabaseUrls, tmp_path: Path, endpoint: Endpoint) -> AsyncIterator[Place]:
    settings = Settings(
        data_dir=tmp_path,
        llm_base_url=endpoint.url,
        llm_api_key="k",
        log_level="debug",
        shop_url="https://shop.example",
    )
    logs.configure(settings)
    services = build(settings, database_urls)
    services.recorder.start()
    services.forgetting.start()
    name = f"shop-{uuid4()}"
    write = await create_key(services.database, name, "write", [])
    secret = await create_key(services.database, name, "secret", [])
    transport = httpx.ASGITransport(create_app(services))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield Place(services, client, write.key, secret.key, write.project_id)
    await services.stop()
    await services.database.close()
    structlog.reset_defaults()


@pytest.fixture
async def world(database: Database, project_id: UUID) -> AsyncIterator[World]:
    async with made(database, project_id) as world:
        yield world
