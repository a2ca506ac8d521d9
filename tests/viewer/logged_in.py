"""Browsers at the whole application: one of nobody's, and one of a member who is admin of a project of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from adapters.postgres.engine import DatabaseUrls
from insights.access.keys import create_key
from insights.app import create_app
from insights.settings import Settings
from insights.wiring.services import Services, build
from tests.viewer.people import enter, make_member
from tests.viewer.person import Person


@pytest.fixture
async def services(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Services]:
    built = build(Settings(data_dir=tmp_path), database_urls)
    yield built
    await built.keys.close()
    await built.database.close()


@pytest.fixture
async def nobody(services: Services) -> AsyncIterator[Person]:
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
        yield Person(client)


@pytest.fixture
async def admin(nobody: Person, services: Services) -> Person:
    """A member who is admin of a project of their own."""
    made = await create_key(services.database, f"shop-{uuid4()}", "secret", [])
    email = f"ada-{uuid4()}@example.org"
    await make_member(services.database, made.project_id, email, now=datetime.now(UTC))
    assert (await enter(nobody.client, email)).status_code == 303
    nobody.email, nobody.project_id = email, made.project_id  # type: ignore[attr-defined]
    return nobody
