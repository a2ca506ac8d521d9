"""The transaction a page reads in: one project, read-only, and over after a few seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database

TIMEOUT_SECONDS = 8


@asynccontextmanager
async def reading(database: Database, project_id: UUID) -> AsyncIterator[AsyncSession]:
    """One read-only transaction of ``project_id``. A query that takes too long raises the driver's QueryCanceled."""
    async with database.transaction(project_id) as tx:
        await tx.execute(
            text(
                "SELECT set_config('transaction_read_only', 'on', true),"
                " set_config('statement_timeout', :timeout, true)"
            ),
            {"timeout": f"{TIMEOUT_SECONDS}s"},
        )
        yield tx
