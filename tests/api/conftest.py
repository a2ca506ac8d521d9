"""The application on a real database, without a socket between."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.postgres.engine import DatabaseUrls
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from tests.process import SHOP, Process, running

__all__ = ["SHOP", "Api"]


class Api:
    """A client of the application with the keys of a project of its own."""

    def __init__(self, process: Process) -> None:
        self.services, self.client, self.project_id = process.services, process.client, process.project_id
        self.write, self.secret = process.write, process.secret
        self.headers = {"authorization": f"Bearer {process.secret}"}

    def event(self, type: str = "clicked", props: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
        now = int(time.time() * 1000)
        return {"id": str(uuid7(now)), "t": now, "type": type, "props": props or {}, **other}

    def batch(self, *events: Any, **other: Any) -> dict[str, Any]:
        return {"visitor": str(uuid4()), "session": str(uuid7()), "tab": "t", "events": list(events), **other}

    async def send(self, batch: dict[str, Any], **options: Any) -> httpx.Response:
        return await self.client.post("/v1/events", params={"key": self.write}, json=batch, **options)


@pytest.fixture
async def api(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Api]:
    async with running(Settings(data_dir=tmp_path), database_urls) as process:
        yield Api(process)
