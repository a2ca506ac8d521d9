"""Hands out due rows, each to one worker at a time: claimed in batches, held for a while, given back when not needed.

A row is due when its time has come and nobody holds it. The token fences: each claim raises it, so that a worker whose
lease ran out meanwhile finds another number in the row and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from adapters.postgres.engine import Database

Table = Literal["session", "flow_run", "flow_occurrence", "flow_schedule", "provider_erasure"]
_DUE: dict[Table, str] = {
    "session": "close_at",
    "flow_run": "due_at",
    "flow_occurrence": "due_at",
    "flow_schedule": "due_at",
    "provider_erasure": "due_at",
}


@dataclass(frozen=True, slots=True)
class Lease:
    """A row that this worker may work on while its lease lasts."""

    project_id: UUID
    id: UUID
    token: int
    due_at: datetime


def lag(leases: Sequence[Lease], now: datetime) -> float:
    """How many seconds late the oldest of them is; 0 without any."""
    return max(((now - lease.due_at).total_seconds() for lease in leases), default=0.0)


class Leases:
    """The due rows of one table, of every project."""

    def __init__(self, database: Database, table: Table) -> None:
        due = _DUE[table]
        self._database = database
        self._owed: list[Lease] = []
        # Both names are from the closed set above.
        # The number is written in, not bound: a plan for any number would read the whole table.
        self._claim = f"""
            UPDATE {table} AS held SET lease_until = :until, lease_token = lease_token + 1
            FROM (SELECT project_id, id FROM {table}
                  WHERE {due} <= :now AND (lease_until IS NULL OR lease_until < :now)
                  ORDER BY {due} LIMIT {{most}} FOR UPDATE SKIP LOCKED) AS due
            WHERE held.project_id = due.project_id AND held.id = due.id
            RETURNING held.project_id, held.id, held.lease_token, held.{due}
            """  # noqa: S608
        self._release = text(f"""
            UPDATE {table} AS held SET lease_until = NULL
            FROM unnest(CAST(:projects AS uuid[]), CAST(:ids AS uuid[]), CAST(:tokens AS bigint[]))
                AS own(project_id, id, token)
            WHERE held.project_id = own.project_id AND held.id = own.id AND held.lease_token = own.token
            """)  # noqa: S608

    async def claim(self, now: datetime, until: datetime, most: int) -> list[Lease]:
        """Up to ``most`` due rows, held until ``until``. What was given back and not yet freed is freed first."""
        await self.free()
        async with self._database.dispatch() as tx:
            rows = await tx.execute(text(self._claim.format(most=int(most))), {"now": now, "until": until})
            return [Lease(row[0], row[1], row[2], row[3]) for row in rows]

    def give_back(self, leases: Sequence[Lease]) -> None:
        """Notes rows that this worker will not work on: ``free`` lets another one take them at once."""
        self._owed += leases

    async def free(self) -> None:
        """Ends the leases that were given back, before they run out by themselves."""
        if not self._owed:
            return
        owed = list(self._owed)
        async with self._database.dispatch() as tx:
            await tx.execute(
                self._release,
                {
                    "projects": [lease.project_id for lease in owed],
                    "ids": [lease.id for lease in owed],
                    "tokens": [lease.token for lease in owed],
                },
            )
        del self._owed[: len(owed)]
