"""An installation: processes on one fresh database, with the keys of its one project."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from adapters.postgres.engine import Database, DatabaseUrls
from insights.access.keys import create_key
from tests.processes.started import Started, environment


class Installation:
    """Starts processes, and ends those that are left."""

    def __init__(self, database: Database, urls: DatabaseUrls, data_dir: Path, project_id: UUID, key: str) -> None:
        self.database = database
        self.urls = urls
        self.data_dir = data_dir
        self.project_id = project_id
        self.key = key
        self.started: list[Started] = []

    def start(self, *arguments: str, **settings: str) -> Started:
        """One more process."""
        started = Started(environment(self.urls, self.data_dir, **settings), *arguments)
        self.started.append(started)
        return started

    async def ready(self, *arguments: str, **settings: str) -> Started:
        """One more process, that is ready."""
        started = self.start(*arguments, **settings)
        await started.ready()
        return started

    def events(self, process: Started) -> str:
        """Where a client posts events."""
        return f"{process.url}/v1/events?key={self.key}"


@pytest.fixture
async def installation(database: Database, database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Installation]:
    key = await create_key(database, f"shop-{tmp_path.name}", "write", [])
    installation = Installation(database, database_urls, tmp_path, key.project_id, key.key)
    yield installation
    for process in installation.started:
        await process.stop()
