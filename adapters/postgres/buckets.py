"""Token buckets shared by all processes: how long to wait before one more may go out.

A row a bucket. Taking is one statement whose row lock orders the takers; the clock is the database's, so that processes
whose clocks differ agree.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_TAKE = text("""
INSERT INTO rate_bucket AS b (project_id, name, tokens, at)
VALUES (:project, :name, CAST(:burst AS double precision) - 1, clock_timestamp())
ON CONFLICT (project_id, name) DO UPDATE SET
    tokens = least(:burst, b.tokens + :rate * extract(epoch FROM greatest(clock_timestamp() - b.at, interval '0'))) - 1,
    at = greatest(clock_timestamp(), b.at)
WHERE least(:burst, b.tokens + :rate * extract(epoch FROM greatest(clock_timestamp() - b.at, interval '0'))) >= 1
RETURNING b.tokens
""")

_WAIT = text("""
SELECT (1 - least(:burst, tokens + :rate * extract(epoch FROM greatest(clock_timestamp() - at, interval '0')))) / :rate
FROM rate_bucket WHERE project_id = :project AND name = :name
""")


async def take(tx: AsyncSession, project_id: UUID, name: str, *, per_second: float, burst: int) -> timedelta | None:
    """Takes one token of the project's bucket ``name`` and returns None; or takes nothing and returns when there will
    be one. Holds the bucket's row until the transaction ends."""
    given = {"project": project_id, "name": name, "rate": per_second, "burst": burst}
    if (await tx.execute(_TAKE, given)).scalar_one_or_none() is not None:
        return None
    seconds = (await tx.execute(_WAIT, given)).scalar_one()
    return timedelta(seconds=max(float(seconds), 0.001))


_BOOK = text("""
UPDATE rate_bucket SET booked_until =
    greatest(booked_until, clock_timestamp()) + make_interval(secs => 1 / CAST(:rate AS double precision))
WHERE project_id = :project AND name = :name
RETURNING extract(epoch FROM booked_until - clock_timestamp())
""")


async def book(tx: AsyncSession, project_id: UUID, name: str, *, per_second: float) -> timedelta:
    """A time of one's own for whoever got no token of this bucket, so that many who wait do not all come back at once.

    The tokens of that time are not set aside: who comes then may have to book again.
    """
    given = {"project": project_id, "name": name, "rate": per_second}
    seconds = (await tx.execute(_BOOK, given)).scalar_one()
    return timedelta(seconds=max(float(seconds), 0.001))
