"""Waits until processes hear of changes: what is said before is heard by nobody."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from adapters.postgres.engine import Database
from insights.access.keys import KEYS_CHANNEL

_LISTENERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = :listens AND state = 'idle'"
)


async def until_listening(database: Database, count: int) -> None:
    """Returns when ``count`` connections listen for changes of keys."""
    async with asyncio.timeout(30):
        while True:
            async with database.transaction(None) as tx:
                if await tx.scalar(_LISTENERS, {"listens": f'LISTEN "{KEYS_CHANNEL}"'}) == count:
                    return
            await asyncio.sleep(0.01)
