"""The learner: every minute, for every project, from what ended since to the next snapshot. Any number may run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from insights.learning.collect import Place, collect
from insights.learning.snapshots import make_snapshot, sum_up
from insights.models import PolicyBucket, PolicySnapshot, Project, Shop

log = structlog.get_logger()

EVERY_SECONDS: Final = 60.0


class Learner:
    """Learns for all projects of a database. What is cut off is done by the next round: it starts from what is
    stored."""

    def __init__(self, database: Database, clock: Callable[[], datetime], *, every: float = EVERY_SECONDS) -> None:
        self._database = database
        self._clock = clock
        self._every = every

    async def serve(self, stop: asyncio.Event) -> None:
        """Learns until ``stop`` is set."""
        while not stop.is_set():
            try:
                await self.round(stop)
            except (DBAPIError, OSError, TimeoutError) as error:
                log.warning("learning_put_off", error=type(error).__name__)
            try:
                async with asyncio.timeout(self._every):
                    await stop.wait()
            except TimeoutError:
                continue

    async def round(self, stop: asyncio.Event | None = None) -> None:
        """Learns once for every project."""
        async with self._database.transaction(None) as tx:
            projects = list(await tx.scalars(select(Project.id)))
        for project_id in projects:
            if stop is not None and stop.is_set():
                return
            try:
                await self.learn(project_id)
            except (DBAPIError, OSError, TimeoutError):
                raise
            except Exception:
                # What is wrong with one project must not keep the others from learning.
                log.exception("learning_failed", project=str(project_id))

    async def learn(self, project_id: UUID) -> int | None:
        """Brings the rewards of a project up to date; the version of the snapshot that came of it, if one did."""
        began, more = self._clock(), True
        place: Place | None = None
        while more:
            async with self._database.transaction(project_id) as tx:
                if not await tx.scalar(_take_turn(project_id)):
                    return None
                await tx.execute(insert(Shop).values(project_id=project_id).on_conflict_do_nothing())
                since = await tx.scalar(select(Shop.learned_through).where(Shop.project_id == project_id))
                place = (await collect(tx, project_id, since, place, self._clock())).last
                more = place is not None
                if not more:
                    await tx.execute(update(Shop).where(Shop.project_id == project_id).values(learned_through=began))
        async with self._database.transaction(project_id) as tx:
            if not await tx.scalar(_take_turn(project_id)):
                return None
            summed = await sum_up(tx, project_id, self._clock())
            if not summed and not await tx.scalar(_never_learned(project_id)):
                return None
            version = await make_snapshot(tx, project_id, self._clock())
        log.info("learned", project=str(project_id), snapshot=version, buckets=summed)
        return version


def _take_turn(project_id: UUID) -> Select[Any]:
    # Two learners of one project would only do the same twice.
    return select(func.pg_try_advisory_xact_lock(func.hashtextextended(f"learn {project_id}", 0)))


def _never_learned(project_id: UUID) -> Select[Any]:
    snapshots = select(PolicySnapshot.version).where(PolicySnapshot.project_id == project_id)
    buckets = select(PolicyBucket.number).where(PolicyBucket.project_id == project_id)
    return select(literal(True)).where(buckets.exists(), ~snapshots.exists())
