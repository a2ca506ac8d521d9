"""A process with its database, and a model that listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from adapters.postgres.engine import Database, DatabaseUrls
from insights import logs
from insights.settings import Settings
from tests.llm.endpoint import Endpoint, listening
from tests.privacy.place import Place
from tests.privacy.world import World, made
from tests.process import running


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
    async with running(settings, database_urls) as process:
        process.services.forgetting.start()
        yield Place(process.services, process.client, process.write, process.secret, process.project_id)


@pytest.fixture
async def world(database: Database, project_id: UUID) -> AsyncIterator[World]:
    async with made(database, project_id) as world:
        yield world
