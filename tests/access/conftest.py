"""The application on a real database, and a project next door that has one of everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.postgres.base import Base
from adapters.postgres.engine import DatabaseUrls, sqlalchemy_url
from insights.access.keys import create_key
from tests.access.neighbour import Neighbour, fill, snapshot
from tests.api.conftest import Api, api

__all__ = ["api"]


@dataclass(frozen=True)
class Next:
    """The project next door, the key of its own, and whoever sees all rows."""

    has: Neighbour
    headers: dict[str, str]
    owner: AsyncEngine

    async def looks(self, project_id: UUID | None = None) -> dict[str, str]:
        """A fingerprint of each of its tables."""
        tables = [table.name for table in Base.metadata.sorted_tables if "project_id" in table.c]
        async with self.owner.connect() as connection:
            rows = await connection.execute(text(snapshot(tables)), {"project": project_id or self.has.project_id})
            return {str(table): str(digest) for table, digest in rows.all()}


@pytest.fixture
async def next_door(api: Api, database_urls: DatabaseUrls) -> AsyncIterator[Next]:
    made = await create_key(api.services.database, f"next-{uuid4()}", "secret", [])
    has = await fill(api.services.database, made.project_id)
    owner = create_async_engine(sqlalchemy_url(database_urls.owner))
    yield Next(has, {"authorization": f"Bearer {made.key}"}, owner)
    await owner.dispose()
