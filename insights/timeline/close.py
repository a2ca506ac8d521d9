"""Finds the sessions that are due to close, leases them to one worker at a time, and gives leases back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from adapters.postgres.engine import Database

WAKE_CHANNEL = "session_close"

_CLAIM = text("""
UPDATE session SET lease_until = :until, lease_token = lease_token + 1
WHERE (project_id, id) IN (
    SELECT project_id, id FROM session
    WHERE close_at <= :now AND (lease_until IS NULL OR lease_until < :now)
    ORDER BY close_at LIMIT :batch FOR UPDATE SKIP LOCKED)
RETURNING project_id, id, lease_token
""")


_RELEASE = text("""
UPDATE session SET lease_until = NULL
FROM unnest(CAST(:projects AS uuid[]), CAST(:sessions AS uuid[]), CAST(:tokens AS bigint[]))
    AS claim(project_id, session_id, token)
WHERE session.project_id = claim.project_id AND session.id = claim.session_id AND lease_token = claim.token
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A session that this worker may close while its lease lasts."""

    project_id: UUID
    session_id: UUID
    token: int


async def claim_due(database: Database, now: datetime, lease: timedelta, batch: int) -> list[Claim]:
    """Up to ``batch`` sessions of any project whose time has come, leased until ``now + lease``."""
    async with database.dispatch() as tx:
        rows = await tx.execute(_CLAIM, {"now": now, "until": now + lease, "batch": batch})
        return [Claim(row[0], row[1], row[2]) for row in rows]


async def release(database: Database, claims: Sequence[Claim]) -> None:
    """Gives up leases before they run out: another worker may take these sessions at once."""
    async with database.dispatch() as tx:
        await tx.execute(
            _RELEASE,
            {
                "projects": [claim.project_id for claim in claims],
                "sessions": [claim.session_id for claim in claims],
                "tokens": [claim.token for claim in claims],
            },
        )
