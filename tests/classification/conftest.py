"""A shop whose visits are closed when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from adapters.postgres.engine import Database
from tests.classification.shop import Shop


@pytest.fixture
async def shop(database: Database, project_id: UUID) -> AsyncIterator[Shop]:
    shop = Shop(database, project_id)
    yield shop
    await shop.stop()
