"""A whole server to send to, and a way to read what it stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.access.keys import create_key
from tests.e2e.server import serving


@dataclass(frozen=True)
class Shop:
    """A running server and the keys of its project "shop"."""

    url: str
    write: str
    secret: str
    owner_url: str

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """What the database holds, read as its owner."""
        with psycopg.connect(conninfo(self.owner_url), autocommit=True, row_factory=dict_row) as connection:
            connection.execute("SELECT set_config('row_security', 'off', false)")
            return connection.execute(statement.encode(), values).fetchall()

    def known_as(self, visitor: UUID) -> list[dict[str, Any]]:
        """The names of a visitor, which the database holds sealed, by what the server tells the shop."""
        headers = {"authorization": f"Bearer {self.secret}"}
        with httpx.Client(base_url=f"{self.url}/v1/privacy", headers=headers) as client:
            asked = client.post("/requests", json={"kind": "export", "visitor": str(visitor)}).raise_for_status().json()
            told = client.get(f"/requests/{asked['id']}/export").raise_for_status().json()
        return [
            {"user_id": row["user_id"], "email": row["email"]} for row in told["visitor"] if row["id"] == str(visitor)
        ]


@pytest.fixture(scope="module")
async def shop(
    database: Database, database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """`whyleft serve` in a process of its own."""
    data_dir: Path = tmp_path_factory.mktemp("shop")
    write = await create_key(database, "shop", "write", [])
    secret = await create_key(database, "shop", "secret", [])
    async with serving(database_urls, data_dir) as server:
        yield Shop(server.url, write.key, secret.key, database_urls.owner)
