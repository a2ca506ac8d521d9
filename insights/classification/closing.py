"""Closes sessions a group at a time: reads timelines, has them classified, writes insights, summaries and triggers.

No transaction is open while a classifier thinks. What it says is written only if the lease still holds and the events
are still those that it read. A group that cannot be written is tried again session by session, so that one bad session
does not stop the others. A closed session in which something arrived late is read again, and classified again only if
its outcome is another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.engine import Database
from adapters.postgres.faults import gone
from adapters.postgres.leases import Lease, Leases, lag
from adapters.postgres.wakeups import Wakeups
from adapters.telemetry.meters import Meters
from insights.classification.classify import NamesReasons
from insights.classification.closed_sessions import Written, write_group
from insights.classification.conclusions import Conclusion, conclude, write_insights
from insights.classification.readings import Reading, moved, read_sessions
from insights.errors import NotFound, SessionStillOpen
from insights.events.people import outdate
from insights.models import Session

log = structlog.get_logger()

WAKE_CHANNEL = "session_close"

FIRST_RETRY = timedelta(seconds=30)
MOST_DOUBLINGS = 7
"""A session that cannot be closed is tried again after 30 s, 1 min, … and about once an hour in the end."""
READ_AGAIN = 3
"""How often a reclassification starts over because events came in between."""
GROUP = 50
"""Most sessions in one transaction: their rows are locked while it lasts."""


class SessionCloser:
    """Closes the sessions of every project."""

    def __init__(
        self,
        database: Database,
        classifier: NamesReasons,
        clock: Callable[[], datetime],
        *,
        lease: timedelta = timedelta(seconds=60),
        batch: int = 400,
        parallel: int = 8,
        meters: Meters | None = None,
    ) -> None:
        self._database = database
        self._classifier = classifier
        self._clock = clock
        self._lease = lease
        self._batch = min(batch, _in_time(classifier.slowest, lease, parallel)) if classifier.slowest else batch
        self._parallel = parallel
        self._leases = Leases(database, "session")
        self._meters = meters or Meters()

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set: woken by a notification, and every second in any case. What was claimed and not
        begun by then is left to others at once."""
        async with Wakeups(self._database.urls, WAKE_CHANNEL).listening() as wakeups:
            try:
                while not stop.is_set():
                    try:
                        while await self.close_due(stop) and not stop.is_set():
                            pass
                    except (SQLAlchemyError, OSError) as error:
                        log.warning("closing_paused", error=type(error).__name__)
                    await wakeups.wait(stop)
            finally:
                with contextlib.suppress(SQLAlchemyError, OSError):
                    await self._leases.free()

    async def close_due(self, stop: asyncio.Event | None = None) -> int:
        """Closes one batch of due sessions; returns how many were claimed. One bad session does not stop the others."""
        now = self._clock()
        with self._meters.timed("close.claim"):
            leases = await self._leases.claim(now, now + self._lease, self._batch)
        self._meters.lag_seconds.labels("close").set(lag(leases, now))
        places = asyncio.Semaphore(self._parallel)

        async def work(group: Sequence[Lease]) -> None:
            async with places:
                if stop is not None and stop.is_set():
                    self._leases.give_back(group)
                    return
                try:
                    await self._close(group)
                except BaseException:
                    # The database went away, or our time is up. Whoever takes them over finds them as they were.
                    self._leases.give_back(group)
                    raise

        groups = await self._groups(leases)
        outcomes = await asyncio.gather(*(work(group) for group in groups), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(leases)

    async def _groups(self, leases: Sequence[Lease]) -> list[Sequence[Lease]]:
        """Claims of one project each. A model is waited for: its sessions go side by side, one a group, and no more
        than can be worked off while the lease lasts, as what waits longer would be claimed by somebody else."""
        groups: list[Sequence[Lease]] = []
        for own in _by_project(leases):
            slowest = await self._classifier.slowest_for(own[0].project_id)
            if slowest:
                most = _in_time(slowest, self._lease, self._parallel)
                groups += [[lease] for lease in own[:most]]
                self._leases.give_back(own[most:])
            else:
                groups += [own[i : i + GROUP] for i in range(0, len(own), GROUP)]
        return groups

    async def classify_session(
        self, project_id: UUID, session_id: UUID, *, fresh: bool = False, act: bool = True
    ) -> Conclusion:
        """Names the reason of a closed session again. Raises NotFound, SessionStillOpen.

        ``fresh``: a model is asked although it has answered the very same question before. ``act`` False: no flow
        starts.
        """
        for _ in range(READ_AGAIN):
            async with self._database.transaction(project_id) as tx:
                readings = await read_sessions(tx, project_id, [session_id])
            if session_id not in readings:
                raise NotFound(f"There is no session {session_id} in this project.")
            conclusions = await self._conclude(readings.values(), fresh=fresh)
            if not conclusions:
                raise NotFound(f"Session {session_id} has no events left to classify.")
            async with self._database.transaction(project_id) as tx:
                session = await tx.get(Session, (project_id, session_id), with_for_update=True)
                if session is None or session.closed_at is None:
                    raise SessionStillOpen("This session is open. Its insight appears after it closes.")
                same = session.last_received_at == readings[session_id].last_received_at
                if same and not await moved(tx, project_id, readings):
                    await write_insights(tx, project_id, list(conclusions.values()), self._clock(), again=True, act=act)
                    said = conclusions[session_id].insight
                    session.kind, session.reason = said["kind"], said["reason"]
                    return conclusions[session_id]
        raise SessionStillOpen("Events keep coming in for this session. Its insight appears after it closes.")

    async def _close(self, leases: Sequence[Lease]) -> None:
        """Closes sessions of one project. Whatever goes wrong with one of them stays with it."""
        project_id = leases[0].project_id
        try:
            with self._meters.timed("close.read"):
                async with self._database.transaction(project_id) as tx:
                    readings = await read_sessions(tx, project_id, [lease.id for lease in leases])
            with self._meters.timed("close.classify"):
                asked = [one for one in readings.values() if one.standing is None and not one.timeline.is_no_visit]
                conclusions = await self._conclude(asked)
            with self._meters.timed("close.write"):
                async with self._database.transaction(project_id) as tx:
                    written = await write_group(tx, leases, readings, conclusions, self._clock)
        except Exception as error:
            if gone(error):
                raise
            if len(leases) > 1:
                log.warning("group_close_failed", sessions=len(leases), error=type(error).__name__, at=_place_of(error))
                for lease in leases:
                    await self._close([lease])
                return
            # Only where and what: the text of a database error quotes the row, and the row is a person's visit.
            log.error(
                "session_close_failed",
                session=str(leases[0].id),
                error=type(error).__name__,
                at=_place_of(error),
                attempt=leases[0].token,
            )
            await self._put_back(leases[0], error)
        else:
            self._count(written)
            for session_id in written.nobody:
                log.info("no_visit", session=str(session_id))
            await self._outdate(project_id, set(written.nobody.values()))
            for session_id in written.closed:
                stands = readings[session_id].standing is not None
                log.info("session_unchanged" if stands else "session_closed", session=str(session_id))

    def _count(self, written: Written) -> None:
        self._meters.leases_lost.labels("close").inc(written.lost)
        self._meters.sessions_closed.inc(len(written.closed))
        for new in written.news:
            # Whose model it is stays out: every project may name one of its own.
            classifier = str(new.insight["classifier"]).partition(":")[0]
            self._meters.insights.labels(classifier, new.insight["fallback"] or "").inc()

    async def _outdate(self, project_id: UUID, visitor_ids: Collection[UUID]) -> None:
        # After the commit and alone: inside, it would wait for rows whose holders may be waiting for these.
        if visitor_ids:
            async with self._database.transaction(project_id) as tx:
                await outdate(tx, project_id, visitor_ids)

    async def _conclude(self, readings: Iterable[Reading], *, fresh: bool = False) -> dict[UUID, Conclusion]:
        conclusions = {}
        for reading in readings:
            if reading.timeline.events:
                classified = await self._classifier.classify(reading.timeline, fresh=fresh)
                conclusions[reading.timeline.session_id] = conclude(reading, classified)
            await asyncio.sleep(0)  # rules never wait: in a process that also answers requests, those come first
        return conclusions

    async def _put_back(self, lease: Lease, error: Exception) -> None:
        try:
            async with self._database.transaction(lease.project_id) as tx:
                await tx.execute(
                    update(Session)
                    .where(
                        Session.project_id == lease.project_id,
                        Session.id == lease.id,
                        Session.lease_token == lease.token,
                    )
                    .values(lease_until=self._clock() + FIRST_RETRY * 2 ** min(lease.token - 1, MOST_DOUBLINGS))
                )
        except (SQLAlchemyError, OSError):
            log.warning("session_not_put_back", session=str(lease.id), error=type(error).__name__)


def _by_project(leases: Sequence[Lease]) -> list[list[Lease]]:
    projects: dict[UUID, list[Lease]] = {}
    for lease in leases:
        projects.setdefault(lease.project_id, []).append(lease)
    return list(projects.values())


def _in_time(slowest: timedelta, lease: timedelta, parallel: int) -> int:
    """How many sessions can be worked off while the lease lasts, with as much to spare."""
    return parallel * max(1, int(lease / (2 * slowest)))


def _place_of(error: BaseException) -> str:
    """The innermost line of ours that an error passed through: file and number."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
