"""Writes batches down: everything that waits is committed together, and nobody is told before the commit.

There is no timer: while one flush commits, the next one gathers. A batch that was not committed was not accepted, and
sending it again stores nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from adapters.postgres.pipe import Pipe, Statement, StatementRefused
from insights.errors import Refused, Unavailable
from insights.events.claims import Claims, claims_of, settle
from insights.events.field_book import FieldBook
from insights.events.kept import kept_props, kept_url, only_allowed
from insights.events.people import Said, outdate, write_people
from insights.events.reservations import reserve
from insights.events.subscriptions import write_subscriptions
from insights.events.turns import Reservation
from insights.events.visitors import write_said
from insights.events.waiting import Lines
from insights.events.wire import Rejection, WireEvent
from insights.models import Decision, RejectedEvent
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.events import AFTERWARDS
from insights.vocabulary.ids import ms_to_datetime, uuid7
from insights.vocabulary.withheld import NO_ROOM

log = structlog.get_logger()

SATURATED_AT = 0.9

CUT_OFF = (OperationalError, InterfaceError, OSError, TimeoutError)

_New = set[str] | None
"""Session id and event id of what a flush added; None when it added all it was given."""

GOODBYE = timedelta(seconds=2)
"""A page that is left says several last things at once; session_ended need not be the very last of them."""


@dataclass(slots=True)
class Entry:
    """What one request wants written: its good events (times corrected), its refused ones, its decision.

    ``before`` is the version of the visitor that its profile stood for, and ``fresh`` the events that were new to it
    (``events/claims``); without them nothing is claimed. Once recorded, ``stale`` says that somebody else had written
    of the visitor meanwhile, and ``undecided`` that therefore the decision was not written;
    ``no_room`` that it was not because what it needs could not be set aside. ``extra_fields``: what is kept of its
    events beyond the catalogue; the recorder fills it in.
    """

    project_id: UUID
    visitor_id: UUID
    session_id: UUID
    tab: str
    page_url: str | None
    received_ms: int
    events: Sequence[WireEvent]
    rejected: Sequence[Rejection] = ()
    decision: dict[str, Any] | None = None
    reservation: Reservation | None = None
    envelope: dict[str, Any] = field(default_factory=dict)
    before: int | None = None
    fresh: int = 0
    stale: bool = False
    undecided: bool = False
    no_room: bool = False
    extra_fields: Collection[str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An entry that waits for its commit. ``size``: its events, its decision among them."""

    entry: Entry
    done: asyncio.Future[int]
    size: int

    @property
    def project_id(self) -> UUID:
        return self.entry.project_id


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """When a session becomes due to close: quiet for so long, or ended and then so long."""

    quiet: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(minutes=1)


# One statement a flush. What was stored before changes nothing: only rows that `added` returns touch a session.
# A session that was closed before is looked at again after the grace, not after the quiet time; an order that it did
# not know of opens it again. Whoever comes first, it is the session of its earliest event's visitor. Visitors come
# after sessions: locks are taken in that order everywhere. The answer names what is new only where something is not,
# and the visitors of whom others wrote meanwhile.
_WRITE = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS row(
        session_id uuid, id uuid, visitor_id uuid, tab text, seq bigint, at bigint, received bigint, type text,
        url text, props jsonb)
), added AS (
    INSERT INTO event (project_id, session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, url, props)
    SELECT %(project)s, session_id, id, visitor_id, tab, seq, to_timestamp(at / 1000.0),
           to_timestamp(received / 1000.0), type, url, props
    FROM given
    ON CONFLICT DO NOTHING
    RETURNING session_id, id, visitor_id, occurred_at, received_at, type, url, props
), heard AS (
    INSERT INTO flow_occurrence (project_id, id, kind, trigger_key, trigger_group, visitor_id, occurred_at, facts,
                                 due_at)
    SELECT %(project)s, id, 'event', 'event:' || id, 'event:' || id, visitor_id, occurred_at,
           jsonb_build_object('event', jsonb_build_object(
               'id', id, 'type', type, 'props', props, 'url', url, 'session_id', session_id)),
           received_at
    FROM added
    WHERE EXISTS (SELECT FROM flow_watch AS watch
                  WHERE watch.event = type AND watch.name IN ('', added.props->>'name'))
    ON CONFLICT DO NOTHING
), visited AS (
    SELECT * FROM added WHERE type <> ALL (%(afterwards)s)
), touched AS (
    SELECT session_id, (array_agg(visitor_id ORDER BY occurred_at, visitor_id))[1] AS visitor_id,
           min(occurred_at) AS started_at, max(occurred_at) AS last_event_at, max(received_at) AS last_received_at,
           max(occurred_at) FILTER (WHERE type = 'session_ended') AS ended_at,
           NULLIF(bool_or(type = 'purchased'), false) AS purchased
    FROM visited GROUP BY session_id
), sessions AS (
    INSERT INTO session AS old (project_id, id, visitor_id, started_at, last_event_at, last_received_at, ended_at,
                                purchased, close_at)
    SELECT %(project)s, session_id, visitor_id, started_at, last_event_at, last_received_at, ended_at, purchased,
           last_received_at + CASE WHEN ended_at >= last_event_at - %(goodbye)s
               THEN %(grace)s ELSE %(quiet)s END
    FROM touched ORDER BY session_id
    ON CONFLICT (project_id, id) DO UPDATE SET
        visitor_id = CASE WHEN (excluded.started_at, excluded.visitor_id) < (old.started_at, old.visitor_id)
            THEN excluded.visitor_id ELSE old.visitor_id END,
        started_at = LEAST(old.started_at, excluded.started_at),
        last_event_at = GREATEST(old.last_event_at, excluded.last_event_at),
        last_received_at = GREATEST(old.last_received_at, excluded.last_received_at),
        ended_at = GREATEST(old.ended_at, excluded.ended_at),
        purchased = COALESCE(excluded.purchased, old.purchased),
        closed_at = CASE WHEN excluded.purchased AND old.purchased IS NOT TRUE THEN NULL ELSE old.closed_at END,
        close_at = GREATEST(old.last_received_at, excluded.last_received_at) + CASE
            WHEN old.event_count IS NOT NULL
                OR GREATEST(old.ended_at, excluded.ended_at)
                    >= GREATEST(old.last_event_at, excluded.last_event_at) - %(goodbye)s
            THEN %(grace)s ELSE %(quiet)s END
    RETURNING id
), visitors AS (
    INSERT INTO visitor AS old (project_id, id, first_seen_at, version)
    SELECT %(project)s, visitor_id, min(occurred_at), count(*) FROM visited
    WHERE (SELECT count(*) FROM sessions) IS NOT NULL
    GROUP BY visitor_id ORDER BY visitor_id
    ON CONFLICT (project_id, id) DO UPDATE SET
        version = old.version + excluded.version, first_seen_at = LEAST(old.first_seen_at, excluded.first_seen_at)
    RETURNING id, version
), counted AS (
    SELECT count(*) AS n FROM added
), moved AS (
    SELECT array_agg(id::text) AS ids
    FROM jsonb_to_recordset(%(claims)s) AS claim(id uuid, expected bigint) LEFT JOIN visitors USING (id)
    WHERE version IS NULL OR version <> expected
)
SELECT n, CASE WHEN n < %(count)s THEN (SELECT array_agg(session_id::text || id::text) FROM added) END, moved.ids
FROM counted, moved
"""

# Only who still knew all of the visitor has decided anything. Answers with the decisions that were not written.
_DECIDE = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS row(
        id uuid, visitor_id uuid, session_id uuid, event_id uuid, decided_at bigint, policy text, stage text,
        intent jsonb, probabilities jsonb, excluded jsonb, action text, why text, latency_us integer,
        situation double precision[], situation_version integer, rules text, say double precision, entry_id uuid,
        given_minor bigint, held_back text)
), right_of AS (
    UPDATE visitor SET version = version + claim.decisions
    FROM jsonb_to_recordset(%(claims)s) AS claim(id uuid, expected bigint, decisions integer)
    WHERE visitor.project_id = %(project)s AND visitor.id = claim.id
        AND (claim.expected IS NULL OR visitor.version = claim.expected)
    RETURNING visitor.id
), decided AS (
    INSERT INTO decision (project_id, id, visitor_id, session_id, event_id, decided_at, policy, stage, intent,
                          probabilities, excluded, action, why, latency_us, situation, situation_version, rules, say,
                          entry_id, given_minor, held_back)
    SELECT %(project)s, id, visitor_id, session_id, event_id, to_timestamp(decided_at / 1000.0), policy, stage, intent,
           probabilities, excluded, action, why, latency_us, situation, situation_version, rules, say,
           entry_id, given_minor, held_back
    FROM given WHERE visitor_id IN (SELECT id FROM right_of)
    RETURNING id
)
SELECT array_agg(id::text) FROM given
WHERE id NOT IN (SELECT id FROM decided)
    AND NOT EXISTS (SELECT FROM decision WHERE project_id = %(project)s AND decision.id = given.id)
"""

CONSEQUENTIAL = frozenset({"identified", "consent_changed", "purchased"})
"""Types of events that mean something beyond the timeline."""

_encode = msgspec.json.Encoder().encode


class Recorder:
    """The write path of one process. ``start`` it once; ``stop`` writes what is waiting.

    ``stale`` and ``withheld`` count the entries whose profile was behind, and the decisions that fell for it.
    """

    def __init__(
        self,
        database: Database,
        *,
        times: SessionTimes,
        max_queued: int,
        on_people_changed: Callable[[UUID, Collection[UUID]], None] = lambda project_id, visitor_ids: None,
        on_flushed: Callable[[int, float], None] = lambda events, seconds: None,
        fields: FieldBook | None = None,
    ) -> None:
        """``fields``: which props each project keeps; without it, all."""
        self._database = database
        self._pipe = Pipe(database.urls)
        self._times = times
        self._max_queued = max_queued
        self._on_people_changed = on_people_changed
        self._on_flushed = on_flushed
        self._fields = fields
        self._waiting: Lines[_Waiting] = Lines(max_queued)
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self.stale = 0
        self.withheld = 0

    @property
    def queued(self) -> int:
        """How many events wait for their commit."""
        return self._waiting.held

    @property
    def saturated(self) -> bool:
        """Whether the next requests may have to be turned away."""
        return self._waiting.held >= SATURATED_AT * self._max_queued

    def start(self) -> None:
        """Begins to flush."""
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        """Flushes what waits, then ends."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._fields is not None:
            await self._fields.close()
        await self._pipe.close()

    async def record(self, entry: Entry) -> int:
        """Returns after the commit: how many of the entry's events are new.

        Raises Unavailable when the queue is full or the database cannot commit, Refused when it can never store them.
        """
        events = len(entry.events) + len(entry.rejected)
        self.check_room(entry.project_id, events)
        if self._fields is not None:
            known, entry.extra_fields = self._fields.at_hand(entry.project_id)
            if not known:
                entry.extra_fields = await self._fields.of(entry.project_id)
        waiting = _Waiting(entry, asyncio.get_running_loop().create_future(), events + 1)
        self._waiting.add(waiting)
        self._wake.set()
        try:
            return await waiting.done
        finally:
            self._waiting.done(waiting)

    def check_room(self, project_id: UUID, events: int) -> None:
        """Raises Unavailable when ``record`` would refuse an entry of so many events of this project now."""
        if self._stopping:
            raise Unavailable("The server is shutting down. Nothing was stored; send the same request again.")
        if not self._waiting.has_room(project_id, events + 1):
            raise Unavailable("Too many events are waiting for the database. Send the same request again.")

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._flush(self._waiting.next())
            if self._stopping:
                return

    async def _flush(self, items: list[_Waiting]) -> None:
        entries = [item.entry for item in items]
        began = time.perf_counter()
        try:
            new = await self._write_again_if_cut_off(entries)
            self._on_flushed(sum(len(entry.events) for entry in entries), time.perf_counter() - began)
        except CUT_OFF as error:
            log.warning("events_not_stored", events=sum(len(e.events) for e in entries), error=type(error).__name__)
            failure = Unavailable("The database cannot be reached. Nothing was stored; send the same request again.")
            _fail(items, failure)
        except (DBAPIError, StatementRefused) as error:
            if len(items) == 1:
                log.error("batch_refused_by_database", error=str(error).partition("\n")[0])
                _fail(items, Refused("The database cannot store this batch: look for unusual characters or numbers."))
            else:
                # One of them cannot be stored: each gets its own transaction, so that the others do not suffer.
                for item in items:
                    await self._flush([item])
        except Exception as error:
            log.exception("flush_failed")
            _fail(items, error)
        else:
            for item in items:
                entry, done = item.entry, item.done
                if new is None:
                    count = len(entry.events)
                else:
                    # Counted for the first that brought it: a retry may stand in the same flush as its original.
                    brought = new & {f"{entry.session_id}{event.id}" for event in entry.events}
                    new -= brought
                    count = len(brought)
                if not done.done():
                    done.set_result(count)

    async def _write_again_if_cut_off(self, entries: list[Entry]) -> _New:
        try:
            return await self._write(entries)
        except CUT_OFF as error:
            # A connection that died before or during the commit: the same rows again are harmless.
            log.info("connection_lost_while_storing", error=str(error).partition("\n")[0])
            return await self._write(entries)

    async def _write(self, entries: list[Entry]) -> _New:
        """Commits the entries. Returns what of them is new: None for all of it."""
        project_id = entries[0].project_id
        claims = claims_of(entries)
        statements = self._statements(project_id, entries, claims)
        if not any(entry.rejected or entry.reservation or _consequential(entry) for entry in entries):
            return self._told(entries, claims, await self._pipe.run(project_id, statements))
        # The pool waits for a server that is starting, for seconds; the pipe tells at once that there is none.
        await self._pipe.run(project_id, [])
        async with self._database.transaction(project_id) as tx:
            connection = await tx.connection()
            answers = [(await connection.exec_driver_sql(*statement)) for statement in statements]
            new = self._told(entries, claims, [tuple(answer.one()) for answer in answers])
            await _write_rejected(tx, entries)
            said = _said(entries, new)
            await write_said(tx, project_id, said)
            await write_subscriptions(tx, project_id, said)
            affected = await write_people(tx, project_id, said)
            # Last: others may be waiting for these rows.
            for entry in entries:
                await _set_aside(tx, entry)
        if affected:
            await self._outdate(project_id, affected)
            self._on_people_changed(project_id, affected)
        return new

    async def _outdate(self, project_id: UUID, visitor_ids: Collection[UUID]) -> None:
        # After the commit and alone: inside, it would wait for rows whose holders may be waiting for us.
        try:
            async with self._database.transaction(project_id) as tx:
                await outdate(tx, project_id, visitor_ids)
        except (DBAPIError, *CUT_OFF) as error:
            # What was to be stored is stored. Copies elsewhere lack the other devices' visits until they idle out.
            log.warning("profiles_not_outdated", visitors=len(visitor_ids), error=type(error).__name__)

    def _statements(self, project_id: UUID, entries: list[Entry], claims: Claims) -> list[Statement]:
        rows = [row for entry in entries for row in _rows(entry)]
        statements: list[Statement] = [
            (
                _WRITE,
                {
                    "rows": _encode(rows).decode(),
                    "count": len(rows),
                    "claims": _encode(claims.of_events).decode(),
                    "project": project_id,
                    "grace": self._times.grace,
                    "quiet": self._times.quiet,
                    "goodbye": GOODBYE,
                    "afterwards": list(AFTERWARDS),
                },
            )
        ]
        decisions = [
            entry.decision for entry in entries if entry.decision is not None and entry.visitor_id not in claims.broken
        ]
        if decisions:
            values = {
                "rows": _encode(decisions).decode(),
                "claims": _encode(claims.of_decisions).decode(),
                "project": project_id,
            }
            statements.append((_DECIDE, values))
        return statements

    def _told(self, entries: list[Entry], claims: Claims, answers: list[tuple[Any, ...] | None]) -> _New:
        """What of the entries is new; each of them hears whether it knew all of its visitor."""
        count, names, moved = answers[0] or (0, None, None)
        undecided = (answers[1] or (None,))[0] if len(answers) > 1 else None
        stale, withheld = settle(entries, claims, moved or (), undecided or ())
        self.stale += stale
        self.withheld += withheld
        return None if count and names is None else set(names or ())


def _is_new(new: _New, session_id: UUID, event_id: UUID) -> bool:
    return new is None or f"{session_id}{event_id}" in new


def _said(entries: list[Entry], new: _New) -> list[Said]:
    """What is new in these entries and says something of people."""
    return [
        Said(entry.visitor_id, entry.session_id, event, ms_to_datetime(entry.received_ms))
        for entry in entries
        for event in entry.events
        if event.type in CONSEQUENTIAL and _is_new(new, entry.session_id, event.id)
    ]


def _consequential(entry: Entry) -> bool:
    return any(event.type in CONSEQUENTIAL for event in entry.events)


def _fail(items: list[_Waiting], error: Exception) -> None:
    for item in items:
        if not item.done.done():
            item.done.set_exception(error)


class _Row(Struct, gc=False):
    """An event as `_WRITE` takes it."""

    session_id: UUID
    id: UUID
    visitor_id: UUID
    tab: str
    seq: int
    at: float
    received: int
    type: str
    url: str | None
    props: dict[str, Any]


def _rows(entry: Entry) -> list[_Row]:
    session, visitor, tab, page, received = (
        entry.session_id,
        entry.visitor_id,
        entry.tab,
        kept_url(entry.page_url),
        entry.received_ms,
    )
    extra = entry.extra_fields
    return [
        _Row(
            session,
            event.id,
            visitor,
            tab,
            event.seq,
            event.t,
            received,
            event.type,
            kept_url(event.url) or page,
            kept_props(event.type, event.props if extra is None else only_allowed(event.type, event.props, extra)),
        )
        for event in entry.events
    ]


async def _set_aside(tx: AsyncSession, entry: Entry) -> None:
    """What the entry's decision needs; where there is no room, nothing is done, and what would have been is kept.

    Who is held out would have been counted for it too: without this the two could not be compared.
    """
    if entry.reservation is None or entry.decision is None or entry.undecided:
        return
    if not await reserve(tx, entry.project_id, entry.reservation):
        entry.undecided = entry.no_room = True
        await tx.execute(
            update(Decision)
            .where(Decision.project_id == entry.project_id, Decision.id == entry.decision["id"])
            .values(
                action=LiveAction.DO_NOTHING.value,
                policy=NO_ROOM,
                why=f"{entry.decision['action']} was chosen, and its budget or codes had just run out.",
                held_back=entry.decision["action"],
                entry_id=None,
                given_minor=None,
            )
        )


async def _write_rejected(tx: AsyncSession, entries: list[Entry]) -> None:
    rows = [
        {
            "project_id": entry.project_id,
            "id": uuid7(entry.received_ms),
            "received_at": ms_to_datetime(entry.received_ms),
            "envelope": entry.envelope,
            "raw": rejection.raw,
            "error": rejection.error,
        }
        for entry in entries
        for rejection in entry.rejected
    ]
    if rows:
        await tx.execute(insert(RejectedEvent), rows)
