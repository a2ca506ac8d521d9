"""The transaction a page reads in: one project, read-only, and over after a few seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database


class Reader:
    """Opens those transactions. A query that takes longer than ``seconds`` raises the driver's QueryCanceled."""

    def __init__(self, database: Database, *, seconds: float = 8.0) -> None:
        self._database = database
        self._timeout = f"{seconds}s"

    @asynccontextmanager
    async def reading(self, project_id: UUID) -> AsyncIterator[AsyncSession]:
        """One read-only transaction that sees only ``project_id``."""
        async with self._database.transaction(project_id) as tx:
            await tx.execute(
                text(
                    "SELECT set_config('transaction_read_only', 'on', true),"
                    " set_config('statement_timeout', :timeout, true)"
                ),
                {"timeout": self._timeout},
            )
            yield tx
