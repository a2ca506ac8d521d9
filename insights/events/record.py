"""Writes batches down: everything that waits is committed together, and nobody is told before the commit.

There is no timer: while one flush commits, the next one gathers. A batch that was not committed was not accepted, and
sending it again stores nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from adapters.postgres.engine import Database
from adapters.postgres.faults import is_duplicate
from adapters.postgres.pipe import AlreadyStored, Pipe, StatementRefused
from insights.errors import Refused, Unavailable
from insights.events.aftermath import has_aftermath, write_aftermath
from insights.events.entry import Entry
from insights.events.field_book import FieldBook
from insights.events.flush import Flush, News, SessionTimes, keys_in, stored_of
from insights.events.people import outdate
from insights.events.rows import Key
from insights.events.waiting import Lines

log = structlog.get_logger()

SATURATED_AT = 0.9

CUT_OFF = (OperationalError, InterfaceError, OSError, TimeoutError)

TRIES = 5
"""How often a flush is made again because some of it turned out to be stored."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An entry that waits for its commit. ``size``: its events, its decision among them."""

    entry: Entry
    done: asyncio.Future[int]
    size: int

    @property
    def project_id(self) -> UUID:
        return self.entry.project_id


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
            news = await self._write_again_if_cut_off(entries)
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
            _answer(items, news)

    async def _write_again_if_cut_off(self, entries: list[Entry]) -> News:
        doubtful = [entry for entry in entries if not entry.surely_new]
        try:
            return await self._write(entries, doubtful)
        except CUT_OFF as error:
            # A connection that died before or during the commit: the same rows again are harmless.
            log.info("connection_lost_while_storing", error=str(error).partition("\n")[0])
            return await self._write(entries, entries)

    async def _write(self, entries: list[Entry], doubtful: list[Entry]) -> News:
        """Commits the entries. Returns what of them is new. ``doubtful``: some of theirs may be stored already."""
        for _ in range(TRIES):
            stored = await self._stored(doubtful) if doubtful else None
            try:
                return await self._commit(entries, stored)
            except AlreadyStored:
                # Another process has just stored them, or they are twice in this flush.
                doubtful = entries
        raise StatementRefused("stored by somebody else each time")

    async def _stored(self, entries: list[Entry]) -> set[Key]:
        project_id = entries[0].project_id
        (answer,) = await self._pipe.run(project_id, [stored_of(project_id, entries)])
        return keys_in(answer)

    async def _commit(self, entries: list[Entry], stored: set[Key] | None) -> News:
        project_id = entries[0].project_id
        flush = Flush(project_id, entries, self._times, stored)
        if not has_aftermath(entries):
            return self._counted(flush.told(await self._pipe.run(project_id, flush.statements)))
        # The pool waits for a server that is starting, for seconds; the pipe tells at once that there is none.
        await self._pipe.run(project_id, [])
        try:
            news, affected = await self._commit_with_aftermath(project_id, entries, flush)
        except IntegrityError as error:
            if is_duplicate(error):
                raise AlreadyStored(type(error).__name__) from error
            raise
        self._counted(news)
        if affected:
            await self._outdate(project_id, affected)
            self._on_people_changed(project_id, affected)
        return news

    async def _commit_with_aftermath(
        self, project_id: UUID, entries: list[Entry], flush: Flush
    ) -> tuple[News, frozenset[UUID]]:
        async with self._database.transaction(project_id) as tx:
            connection = await tx.connection()
            answers = [await connection.exec_driver_sql(*statement) for statement in flush.statements]
            news = flush.told([tuple(answer.one()) if answer.returns_rows else None for answer in answers])
            return news, await write_aftermath(tx, project_id, entries, news)

    def _counted(self, news: News) -> News:
        self.stale += news.stale
        self.withheld += news.withheld
        return news

    async def _outdate(self, project_id: UUID, visitor_ids: Collection[UUID]) -> None:
        # After the commit and alone: inside, it would wait for rows whose holders may be waiting for us.
        try:
            async with self._database.transaction(project_id) as tx:
                await outdate(tx, project_id, visitor_ids)
        except (DBAPIError, *CUT_OFF) as error:
            # What was to be stored is stored. Copies elsewhere lack the other devices' visits until they idle out.
            log.warning("profiles_not_outdated", visitors=len(visitor_ids), error=type(error).__name__)


def _answer(items: list[_Waiting], news: News) -> None:
    left = None if news.keys is None else set(news.keys)
    for item in items:
        if left is None:
            count = len(item.entry.events)
        else:
            # Counted for the first that brought it: a retry may stand in the same flush as its original.
            brought = left & {(item.entry.session_id, event.id) for event in item.entry.events}
            left -= brought
            count = len(brought)
        if not item.done.done():
            item.done.set_result(count)


def _fail(items: list[_Waiting], error: Exception) -> None:
    for item in items:
        if not item.done.done():
            item.done.set_exception(error)
