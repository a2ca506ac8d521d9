"""Hands out due runs, of every flow its share: a flow or project that has its hands full is passed over, and delays no
other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import TextClause, text

from adapters.postgres.engine import Database
from adapters.postgres.leases import Lease, Leases

# How many is written into the statements, not bound: a plan for any number would read the whole table.

# The runs that are due longest, whosever they are.
_OLDEST = """
SELECT project_id, id FROM flow_run
WHERE due_at <= :now AND (lease_until IS NULL OR lease_until < :now)
ORDER BY due_at LIMIT {most} FOR UPDATE SKIP LOCKED
"""

# Flow by flow, each from its own part of an index: what lies before the others in time is never read.
_OF_THE_OTHERS = """
SELECT due.project_id, due.id
FROM (
    WITH RECURSIVE flows AS (
        (SELECT flow_id, project_id FROM flow_run WHERE due_at IS NOT NULL ORDER BY flow_id LIMIT 1)
        UNION ALL
        SELECT following.* FROM flows, LATERAL (
            SELECT flow_id, project_id FROM flow_run WHERE due_at IS NOT NULL AND flow_id > flows.flow_id
            ORDER BY flow_id LIMIT 1) AS following
    )
    SELECT flow_id FROM flows
    WHERE flow_id <> ALL(CAST(:busy AS uuid[])) AND project_id <> ALL(CAST(:full AS uuid[]))
) AS idle, LATERAL (
    SELECT project_id, id FROM flow_run
    WHERE due_at IS NOT NULL AND (flow_id, due_at) > (idle.flow_id, '-infinity')
        AND (flow_id, due_at) <= (idle.flow_id, CAST(:now AS timestamptz))
        AND (lease_until IS NULL OR lease_until < :now)
    ORDER BY flow_id, due_at LIMIT {share} FOR UPDATE SKIP LOCKED
) AS due
LIMIT {most}
"""

_CLAIM = """
UPDATE flow_run AS run SET lease_until = :until, lease_token = lease_token + 1
FROM ({chosen}) AS chosen
WHERE run.project_id = chosen.project_id AND run.id = chosen.id
RETURNING run.project_id, run.id, run.lease_token, run.due_at, run.flow_id
"""

_NEXT = text("""
SELECT due_at FROM flow_run WHERE due_at > :now AND (lease_until IS NULL OR lease_until < :now)
ORDER BY due_at LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Claim(Lease):
    """A lease of a run, and the flow that it belongs to."""

    flow_id: UUID


class RunClaims(Leases):
    """The due runs of every project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "flow_run")
        self._runs = database

    async def claim_runs(
        self,
        now: datetime,
        until: datetime,
        most: int,
        *,
        busy: Collection[UUID] = (),
        full: Collection[UUID] = (),
    ) -> tuple[list[Claim], datetime | None]:
        """Up to ``most`` due runs, held until ``until``, of flows not ``busy`` and projects not ``full``.

        Also, where there are no more, the time at which the next one is due. What was given back and not yet freed is
        freed first.
        """
        await self.free()
        given = {"now": now, "until": until}
        async with self._runs.dispatch() as tx:
            if busy or full:
                others = {**given, "busy": list(busy), "full": list(full)}
                rows = await tx.execute(_of_the_others(most), others)
            else:
                rows = await tx.execute(_oldest(most), given)
            claims = [Claim(row[0], row[1], row[2], row[3], row[4]) for row in rows]
            following = await tx.scalar(_NEXT, {"now": now}) if len(claims) < most else None
        return claims, following


@cache
def _oldest(most: int) -> TextClause:
    return text(_CLAIM.format(chosen=_OLDEST.format(most=most)))


@cache
def _of_the_others(most: int) -> TextClause:
    return text(_CLAIM.format(chosen=_OF_THE_OTHERS.format(most=most, share=max(1, most // 4))))
