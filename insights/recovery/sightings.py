"""How often an error was met: sessions whose worst error it was, counted once each, and when the last of them was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

SESSIONS_SINCE: Final = timedelta(days=1)

# Every session that ends with an error starts a run, also one that is refused a ticket of its own.
_HIT = text("""
SELECT count(DISTINCT trigger_group), max(triggered_at) FROM flow_run
WHERE project_id = :project AND triggered_at >= :since AND facts->'error'->>'fingerprint' = :fingerprint
""")


async def sessions_hit(tx: AsyncSession, project_id: UUID, fingerprint: str, *, since: datetime) -> int:
    """Sessions that met the error since then, at least the one that asks."""
    count, _ = await sightings(tx, project_id, fingerprint, since=since)
    return max(1, count)


async def sightings(
    tx: AsyncSession, project_id: UUID, fingerprint: str, *, since: datetime
) -> tuple[int, datetime | None]:
    """(sessions, when the last of them was) since then."""
    row = (await tx.execute(_HIT, {"project": project_id, "since": since, "fingerprint": fingerprint})).one()
    return int(row[0]), row[1]
