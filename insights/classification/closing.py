"""Closes sessions: reads the timeline, has it classified, and writes insight, summary and trigger in one transaction.

No transaction is open while a classifier thinks. What it says is written only if the lease still holds and the events
are still those that it read.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from adapters.postgres.wakeups import Wakeups
from flows.triggers import cancel_group, start_runs
from insights.classification.classify import Classified, Classifier
from insights.errors import NotFound, SessionStillOpen
from insights.events.record import GOODBYE
from insights.identity.together import hold_people
from insights.models import Event, Insight, Session
from insights.recovery.trigger import insight_trigger
from insights.timeline.assemble import Summary, summarise, timeline_hash
from insights.timeline.close import WAKE_CHANNEL, Claim, claim_due
from insights.timeline.read import IN_VISIT, read_timeline
from insights.timeline.timeline import Timeline
from insights.vocabulary.ids import uuid7
from insights.vocabulary.stages import Stage

log = structlog.get_logger()

FIRST_RETRY = timedelta(seconds=30)
MOST_DOUBLINGS = 7
"""A session that cannot be closed is tried again after 30 s, 1 min, … and about once an hour in the end."""
READ_AGAIN = 3
"""How often a reclassification starts over because events came in between."""


class _Moved(Exception):
    """Events came or went since the timeline was read."""


@dataclass(frozen=True, slots=True)
class _Read:
    timeline: Timeline
    last_received_at: datetime


class SessionCloser:
    """Closes the sessions of every project."""

    def __init__(
        self,
        database: Database,
        classifier: Classifier,
        clock: Callable[[], datetime],
        *,
        lease: timedelta = timedelta(seconds=60),
        batch: int = 100,
        parallel: int = 8,
    ) -> None:
        self._database = database
        self._classifier = classifier
        self._clock = clock
        self._lease = lease
        # No more than can be worked off while the lease lasts: what waits longer would be claimed by somebody else.
        if classifier.slowest:
            batch = min(batch, parallel * max(1, int(lease / (2 * classifier.slowest))))
        self._batch = batch
        self._places = asyncio.Semaphore(parallel)

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set: woken by a notification, and every second in any case."""
        async with Wakeups(self._database.urls, WAKE_CHANNEL).listening() as wakeups:
            while not stop.is_set():
                try:
                    while await self.close_due() and not stop.is_set():
                        pass
                except (SQLAlchemyError, OSError) as error:
                    log.warning("closing_paused", error=type(error).__name__)
                await wakeups.wait(stop)

    async def close_due(self) -> int:
        """Closes one batch of due sessions; returns how many were claimed. One bad session does not stop the others."""
        claims = await claim_due(self._database, self._clock(), self._lease, self._batch)
        await asyncio.gather(*(self._close(claim) for claim in claims))
        return len(claims)

    async def classify_session(self, project_id: UUID, session_id: UUID) -> None:
        """Names the reason of a closed session again. Raises NotFound, SessionStillOpen."""
        for _ in range(READ_AGAIN):
            read = await self._read(project_id, session_id)
            if not read.timeline.events:
                raise NotFound(f"Session {session_id} has no events left to classify.")
            classified = await self._classifier.classify(read.timeline)
            try:
                async with self._database.transaction(project_id) as tx:
                    session = await tx.get(Session, (project_id, session_id), with_for_update=True)
                    if session is None or session.closed_at is None:
                        raise SessionStillOpen("This session is open. Its insight appears after it closes.")
                    await self._hold_to_what_was_read(tx, session, read)
                    await self._write_insight(tx, read.timeline, classified, again=True)
                return
            except _Moved:
                continue
        raise SessionStillOpen("Events keep coming in for this session. Its insight appears after it closes.")

    async def _close(self, claim: Claim) -> None:
        async with self._places:
            try:
                read = await self._read(claim.project_id, claim.session_id)
                classified = await self._classifier.classify(read.timeline) if read.timeline.events else None
                await self._write(claim, read, classified)
            except Exception as error:
                # Only where and what: the text of a database error quotes the row, and the row is a person's visit.
                log.error(
                    "session_close_failed",
                    session=str(claim.session_id),
                    error=type(error).__name__,
                    at=_place_of(error),
                    attempt=claim.token,
                )
                await self._put_back(claim, error)

    async def _read(self, project_id: UUID, session_id: UUID) -> _Read:
        async with self._database.transaction(project_id) as tx:
            # First the mark, then the events: an event in between is seen by the comparison before writing.
            last_received_at = await tx.scalar(
                select(Session.last_received_at).where(Session.project_id == project_id, Session.id == session_id)
            )
            if last_received_at is None:
                raise NotFound(f"There is no session {session_id} in this project.")
            return _Read(await read_timeline(tx, project_id, session_id), last_received_at)

    async def _write(self, claim: Claim, read: _Read, classified: Classified | None) -> None:
        async with self._database.transaction(claim.project_id) as tx:
            session = await tx.get(Session, (claim.project_id, claim.session_id), with_for_update=True)
            if session is None or session.lease_token != claim.token:
                return
            session.lease_until = None
            try:
                await self._hold_to_what_was_read(tx, session, read)
            except _Moved:
                return  # More came in while we thought. close_at says when to look again.
            session.closed_at = self._clock()
            session.close_at = None
            if session.close_reason != "explicit":
                ended = session.ended_at is not None and session.ended_at >= session.last_event_at - GOODBYE
                session.close_reason = "ended" if ended else "quiet"
            if classified is not None:
                summary = summarise(read.timeline)
                _summarise_into(session, summary)
                await self._write_insight(tx, read.timeline, classified, again=False)
        log.info("session_closed", session=str(claim.session_id))

    async def _hold_to_what_was_read(self, tx: AsyncSession, session: Session, read: _Read) -> None:
        """Raises _Moved when the events are no longer those that were read. The caller holds the session's row.

        The time of receipt alone is not enough: it has milliseconds, never goes back, and two processes may commit in
        another order than they received.
        """
        if session.last_received_at != read.last_received_at:
            raise _Moved
        # A statement of its own, after the lock: a snapshot from before it would not see what the lock waited for.
        count = await tx.scalar(
            select(func.count())
            .select_from(Event)
            .where(Event.project_id == session.project_id, Event.session_id == session.id, IN_VISIT)
        )
        if count != len(read.timeline.events):
            raise _Moved

    async def _write_insight(
        self, tx: AsyncSession, timeline: Timeline, classified: Classified, *, again: bool
    ) -> None:
        """Writes the insight and what it triggers. The caller holds the session's row.

        ``again``: someone asked for it, so a new row is written even where nothing new can be said.
        """
        now = self._clock()
        fingerprint = timeline_hash(timeline)
        current = await tx.scalar(
            select(Insight).where(
                Insight.project_id == timeline.project_id,
                Insight.session_id == timeline.session_id,
                Insight.superseded_at.is_(None),
            )
        )
        if current is not None:
            if not again and current.timeline_hash == fingerprint and current.classifier == classified.classifier:
                return
            await tx.execute(
                update(Insight)
                .where(Insight.project_id == timeline.project_id, Insight.id == current.id)
                .values(superseded_at=now)
            )
        verdict = classified.verdict
        insight = Insight(
            project_id=timeline.project_id,
            id=uuid7(),
            session_id=timeline.session_id,
            visitor_id=timeline.visitor_id,
            kind=verdict.kind.value,
            reason=verdict.reason.value,
            confidence=verdict.confidence,
            narrative=verdict.narrative,
            evidence=[str(identifier) for identifier in verdict.evidence],
            suggested_actions=[{"action": s.action.value, "params": s.params} for s in verdict.suggested_actions],
            classifier=classified.classifier,
            fallback=classified.fallback,
            timeline_hash=fingerprint,
            created_at=now,
        )
        tx.add(insight)
        await tx.flush()
        trigger = insight_trigger(
            timeline,
            insight_id=insight.id,
            kind=insight.kind,
            reason=insight.reason,
            confidence=insight.confidence,
            narrative=insight.narrative,
        )
        people = await hold_people(tx, timeline.project_id, [timeline.visitor_id])
        if current is not None and current.reason != insight.reason:
            why = f"superseded: the reason is {insight.reason} now"
            await cancel_group(tx, timeline.project_id, trigger.group, why, now)
        await start_runs(tx, timeline.project_id, trigger, now, same_person=people[timeline.visitor_id])

    async def _put_back(self, claim: Claim, error: Exception) -> None:
        try:
            async with self._database.transaction(claim.project_id) as tx:
                await tx.execute(
                    update(Session)
                    .where(
                        Session.project_id == claim.project_id,
                        Session.id == claim.session_id,
                        Session.lease_token == claim.token,
                    )
                    .values(lease_until=self._clock() + FIRST_RETRY * 2 ** min(claim.token - 1, MOST_DOUBLINGS))
                )
        except (SQLAlchemyError, OSError):
            log.warning("session_not_put_back", session=str(claim.session_id), error=type(error).__name__)


def _place_of(error: BaseException) -> str:
    """The innermost line of ours that an error passed through: file and number."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _summarise_into(session: Session, summary: Summary) -> None:
    session.started_at = summary.started_at
    session.last_event_at = summary.last_event_at
    session.event_count = summary.event_count
    session.landing_path = summary.landing_path
    session.exit_path = summary.exit_path
    session.purchased = summary.purchased
    session.cart_value_minor = summary.cart_value_minor
    session.currency = summary.currency
    session.source = summary.source
    session.client = summary.client
    session.stage = _stage(summary).value


def _stage(summary: Summary) -> Stage:
    """How far this one session went; the live stage also knows the visits before it."""
    if summary.purchased:
        return Stage.CUSTOMER
    if summary.reached_checkout:
        return Stage.HIGH_INTENT
    if summary.cart_value_minor or summary.added_to_cart:
        return Stage.CART_ADDER
    return Stage.BROWSER if summary.products_seen >= 2 else Stage.ANONYMOUS
