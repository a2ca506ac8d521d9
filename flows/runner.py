"""Drives runs: claims those that are due, of every project, and lets each take its turn.

A run is leased while it is worked on. A worker that dies loses its leases, and the next one goes on where the database
says the run stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import case, func, select, text, update
from sqlalchemy.exc import DBAPIError

from adapters.channels.contract import Channel
from adapters.postgres.engine import Database
from adapters.postgres.wakeups import Wakeups
from flows.models import Delivery, FlowRun
from flows.ports import Composer, Facts, Knowledge
from flows.triggers import WAKE_CHANNEL, note, wake
from flows.turn import Claim, Turns

log = structlog.get_logger()

PARALLEL: Final = 8

_CLAIM = text("""
UPDATE flow_run SET lease_until = :until, lease_token = lease_token + 1
WHERE (project_id, id) IN (
    SELECT project_id, id FROM flow_run
    WHERE due_at <= :now AND (lease_until IS NULL OR lease_until < :now)
    ORDER BY due_at LIMIT :batch FOR UPDATE SKIP LOCKED)
RETURNING project_id, id, lease_token
""")


class Runner:
    """Runs the flows of every project."""

    def __init__(
        self,
        database: Database,
        *,
        channels: Mapping[str, Channel],
        composer: Composer,
        facts: Facts,
        knowledge: Knowledge,
        clock: Callable[[], datetime],
        lease: timedelta = timedelta(seconds=60),
        batch: int = 50,
    ) -> None:
        self._database = database
        self._turns = Turns(database, channels, composer, facts, knowledge, clock, lease)
        self._clock = clock
        self._lease = lease
        self._batch = batch

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set: woken by a notification, and every second in any case."""
        async with Wakeups(self._database.urls, WAKE_CHANNEL).listening() as wakeups:
            while not stop.is_set():
                try:
                    while await self.run_due() and not stop.is_set():
                        pass
                except (DBAPIError, OSError) as error:
                    log.warning("flows_paused", error=type(error).__name__)
                await wakeups.wait(stop)

    async def run_due(self) -> int:
        """Claims one batch of due runs and advances each; returns how many. One bad run does not stop the others."""
        claims = await self._claim()
        places = asyncio.Semaphore(PARALLEL)

        async def work(claim: Claim) -> None:
            async with places:
                await self._turns.take(claim)

        await asyncio.gather(*(work(claim) for claim in claims))
        return len(claims)

    async def replay_dead(self, project_id: UUID, run_id: UUID) -> bool:
        """Puts a dead run back to work where it stood; False if it is not dead.

        It is due since it died, so that what has become too late by now is skipped.
        """
        now = self._clock()
        under_way = (
            select(Delivery.id)
            .where(Delivery.project_id == project_id, Delivery.run_id == run_id, Delivery.status == "intent")
            .exists()
        )
        async with self._database.transaction(project_id) as tx:
            revived = await tx.scalar(
                update(FlowRun)
                .where(FlowRun.project_id == project_id, FlowRun.id == run_id, FlowRun.status == "dead")
                .values(
                    status=case((under_way, "sending"), else_="waiting"),
                    due_at=func.coalesce(FlowRun.ended_at, now),
                    attempts=0,
                    ended_at=None,
                    end_reason=None,
                )
                .returning(FlowRun.id)
                .execution_options(synchronize_session=False)
            )
            if revived is not None:
                await note(tx, project_id, run_id, now, None, "replayed")
                await wake(tx)
        return revived is not None

    async def _claim(self) -> list[Claim]:
        now = self._clock()
        async with self._database.dispatch() as tx:
            rows = await tx.execute(_CLAIM, {"now": now, "until": now + self._lease, "batch": self._batch})
            return [Claim(row[0], row[1], row[2]) for row in rows]
