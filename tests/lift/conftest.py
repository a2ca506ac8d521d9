from __future__ import annotations

from uuid import UUID

import pytest

from adapters.postgres.engine import Database
from insights.worker import ensure_partitions
from tests.learning.shop import MadeShop


@pytest.fixture
async def shop(database: Database, project_id: UUID) -> MadeShop:
    await ensure_partitions(database)
    return MadeShop(database, project_id)
