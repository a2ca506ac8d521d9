"""Drives runs: claims those that are due, of every project, and lets each take its turn.

A run is leased while it is worked on. A worker that dies loses its leases, and the next one goes on where the database
says the run stands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from adapters.channels.contract import Channel
from adapters.postgres.engine import Database
from adapters.postgres.leases import Lease, Leases, lag
from adapters.postgres.wakeups import Wakeups
from adapters.telemetry.meters import Meters
from flows.dead_letters import replay
from flows.ports import NOBODY_HELD_OUT, Channels, Composer, Facts, Holdout, Knowledge, SameForAll
from flows.triggers import WAKE_CHANNEL
from flows.turn import Turns

log = structlog.get_logger()

PARALLEL: Final = 8


class Runner:
    """Runs the flows of every project."""

    def __init__(
        self,
        database: Database,
        *,
        channels: Channels | Mapping[str, Channel],
        composer: Composer,
        facts: Facts,
        knowledge: Knowledge,
        clock: Callable[[], datetime],
        holdout: Holdout = NOBODY_HELD_OUT,
        lease: timedelta = timedelta(seconds=60),
        batch: int = 50,
        meters: Meters | None = None,
    ) -> None:
        self._database = database
        self._meters = meters or Meters()
        ways = SameForAll(channels) if isinstance(channels, Mapping) else channels
        self._turns = Turns(database, ways, composer, facts, knowledge, holdout, clock, lease, self._meters)
        self._leases = Leases(database, "flow_run")
        self._clock = clock
        self._lease = lease
        self._batch = batch

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set: woken by a notification, and every second in any case. What was claimed and not
        begun by then is left to others at once."""
        async with Wakeups(self._database.urls, WAKE_CHANNEL).listening() as wakeups:
            try:
                while not stop.is_set():
                    try:
                        while await self.run_due(stop) and not stop.is_set():
                            pass
                    except (SQLAlchemyError, OSError) as error:
                        log.warning("flows_paused", error=type(error).__name__)
                    await wakeups.wait(stop)
            finally:
                with contextlib.suppress(SQLAlchemyError, OSError):
                    await self._leases.free()

    async def run_due(self, stop: asyncio.Event | None = None) -> int:
        """Claims one batch of due runs and advances each; returns how many. One bad run does not stop the others."""
        now = self._clock()
        with self._meters.timed("flows.claim"):
            leases = await self._leases.claim(now, now + self._lease, self._batch)
        self._meters.lag_seconds.labels("flows").set(lag(leases, now))
        places = asyncio.Semaphore(PARALLEL)

        async def work(lease: Lease) -> None:
            async with places:
                if stop is not None and stop.is_set():
                    self._leases.give_back([lease])
                    return
                try:
                    await self._turns.take(lease)
                except BaseException:
                    # The database went away, or our time is up. Whoever takes it over finds it as it was.
                    self._leases.give_back([lease])
                    raise

        outcomes = await asyncio.gather(*(work(lease) for lease in leases), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(leases)

    async def replay_dead(self, project_id: UUID, run_id: UUID) -> bool:
        """Puts a dead run back to work where it stood; False if it is not dead."""
        async with self._database.transaction(project_id) as tx:
            return await replay(tx, project_id, self._clock(), run_id=run_id) == 1
