"""Takes batches to be written: what waits of a project is committed together, and nobody is told before the commit.

There is no timer: while a line's flush commits, its next one gathers, and other lines' flushes go on beside it. A batch
that was not committed was not accepted, and sending it again stores nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final, TypeVar, cast
from uuid import UUID

import structlog
from msgspec import Struct
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from adapters.postgres.faults import disk_is_full
from adapters.postgres.pipe import StatementRefused
from insights.errors import Refused, Unavailable
from insights.events.aftermath import is_followed
from insights.events.entry import Entry
from insights.events.field_book import FieldBook, Kept
from insights.events.flush import News, SessionTimes
from insights.events.lulls import Lulls
from insights.events.rests import Rests, answered_over
from insights.events.rows import part_of
from insights.events.waiting import Lines
from insights.events.ways import Line, Ways
from insights.events.writing import CUT_OFF, OnPeopleChanged, Writing

log = structlog.get_logger()

SATURATED_AT: Final = 0.9

STANDS_STILL: Final = 30.0
"""Seconds without the end of a flush, while some are under way. A lock is waited for ten, and tried twice."""

LINES_AT_ONCE: Final = 4
"""How many lines' flushes may be under way: each takes a connection, and the time of a processor of PostgreSQL's."""

T = TypeVar("T")

AWAY: Final = "The database cannot be reached. Nothing was stored; send the same request again."
FULL: Final = "The disk of the database is full. Nothing was stored; send the same request again."


class _Waiting(Struct, frozen=True, eq=False):
    """An entry that waits for its commit. ``size``: its events, its decision among them."""

    entry: Entry
    line: Line
    done: asyncio.Future[int]
    size: int


class Recorder:
    """The write path of one process. ``start`` it once; ``stop`` writes what is waiting."""

    def __init__(
        self,
        database: Database,
        *,
        times: SessionTimes,
        max_queued: int,
        on_people_changed: OnPeopleChanged = lambda project_id, visitor_ids: None,
        on_flushed: Callable[[int, float], None] = lambda events, seconds: None,
        fields: FieldBook | None = None,
        patience: float = STANDS_STILL,
    ) -> None:
        """``fields``: what each project keeps; without it, all. ``patience``: seconds until ``blocked`` says so."""
        self._writing = Writing(database, times, at_once=LINES_AT_ONCE, on_people_changed=on_people_changed)
        self._max_queued = max_queued
        self._on_flushed = on_flushed
        self._fields = fields
        self._patience = patience
        self._flushing, self._moved = 0, 0.0
        self._waiting: Lines[_Waiting] = Lines(max_queued)
        self._ways = Ways()
        self._writers: set[asyncio.Task[None]] = set()
        self._rests = Rests()
        self._lulls = Lulls(self._waiting.has_others)
        self._resting: dict[Line, asyncio.TimerHandle] = {}
        self._started = self._stopping = self._full = False

    @property
    def queued(self) -> int:
        """How many events wait for their commit."""
        return self._waiting.held

    @property
    def blocked(self) -> str | None:
        """Why the next requests are or may be turned away, or would wait for ever, as a sentence, for an operator."""
        if self._writing.away:
            return "the database cannot be reached by what writes events"
        if self._waiting.held >= SATURATED_AT * self._max_queued:
            return "saturated: too many events wait for the database"
        still = asyncio.get_running_loop().time() - self._moved
        if self._flushing and still > self._patience:
            return f"stuck: no events have been stored for {still:.0f} s, though some wait"
        return None

    @property
    def stale(self) -> int:
        """How many entries were recorded whose profile was behind."""
        return self._writing.stale

    @property
    def withheld(self) -> int:
        """How many decisions fell for that."""
        return self._writing.withheld

    @property
    def trouble(self) -> str | None:
        """Why nothing is stored though the database answers, as a sentence, for an operator."""
        return "the disk of the database is full: no events are stored until there is room" if self._full else None

    def start(self) -> None:
        """Begins to flush."""
        self._started = True
        self._begin()

    async def stop(self) -> None:
        """Flushes what waits, then ends."""
        self._stopping = True
        for line in list(self._resting):
            self._rested(line)
        while self._writers:
            await asyncio.wait(self._writers)
        if self._fields is not None:
            await self._fields.close()
        await self._writing.close()

    async def record(self, entry: Entry) -> int:
        """Returns after the commit: how many of the entry's events are new.

        Raises Unavailable when the queue is full or the database cannot commit, Refused when it can never store them.
        """
        events = len(entry.events) + len(entry.rejected)
        self.check_room(entry.project_id, events)
        if self._fields is not None:
            kept = self._fields.at_hand(entry.project_id)
            if kept is None:
                kept = await self._fields.of(entry.project_id)
                # Others came meanwhile, or the end.
                self.check_room(entry.project_id, events)
            entry.extra_fields = kept.extra
        entry.part = part_of(entry, entry.events, entry.types) if entry.events else None
        line = self._ways.enter(entry.project_id, entry.visitor_id, long=is_followed(entry))
        waiting = _Waiting(entry, line, asyncio.get_running_loop().create_future(), events + 1)
        self._waiting.add(waiting)
        if self._resting and line in self._resting and self._waiting.fills_a_flush(entry.project_id):
            self._rested(line)
        self._begin()
        try:
            return await waiting.done
        finally:
            self._waiting.done(waiting)
            self._lulls.ended()
            self._ways.leave(entry.visitor_id)

    async def kept(self, project_id: UUID) -> Kept:
        """What the project keeps, of whom it keeps nothing, and whom it believes. Raises Unavailable."""
        if self._fields is None:
            return Kept()
        kept = self._fields.at_hand(project_id)
        if kept is None:
            self.check_room(project_id, 0)
            kept = await self._fields.of(project_id)
        return kept

    def check_room(self, project_id: UUID, events: int) -> None:
        """Raises Unavailable when ``record`` would refuse an entry of so many events of this project now."""
        if self._stopping:
            raise Unavailable("The server is shutting down. Nothing was stored; send the same request again.")
        if self._writing.away:
            raise Unavailable(AWAY)
        if not self._waiting.has_room(project_id, events + 1):
            raise Unavailable("Too many events are waiting for the database. Send the same request again.")

    async def while_there(self, work: Awaitable[T]) -> T:
        """What ``work``, which reads from the database, returns: nobody waits in it for a database that a flush has
        found to be away. Raises OSError then."""
        return await self._writing.while_there(work)

    def turned_away(self, project_id: UUID) -> None:
        """The project has just sent more than it may: while it does, it must not cost the others the time of a commit
        for each of its requests."""
        self._rests.turned_away(project_id, asyncio.get_running_loop().time())

    def spares(self, project_id: UUID) -> bool:
        """Whether the project sends more than it may while others send too: what can be left out for it should be."""
        return self._rest_of(project_id) > 0.0

    async def turn_of(self, project_id: UUID) -> None:
        """Returns when a request of the project may go on: at once, unless it is to be spared (``events/lulls``)."""
        if self.spares(project_id):
            await self._lulls.come(project_id)

    def _begin(self) -> None:
        """Has another line's flush made beside those under way, if one waits and there is room for it."""
        if self._started and self._waiting and len(self._writers) < LINES_AT_ONCE:
            writer = asyncio.create_task(self._write(), name="recorder")
            self._writers.add(writer)

    async def _write(self) -> None:
        try:
            while items := self._waiting.next():
                self._moving(1)
                try:
                    await self._flush(items)
                finally:
                    self._moving(-1)
                    self._flushed(items[0].line)
        finally:
            # Here and not once it is done: what comes in between must find room for its writer.
            self._writers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _moving(self, more: int) -> None:
        if more < 0 or not self._flushing:
            self._moved = asyncio.get_running_loop().time()
        self._flushing += more

    def _flushed(self, line: Line) -> None:
        loop = asyncio.get_running_loop()
        if rest := self._rest_of(line.project_id):
            rested = partial(self._rested, line)
            self._resting[line] = loop.call_later(rest, self._lulls.run, line.project_id, rested)
        else:
            self._waiting.written(line)
        self._rests.flushed(line.project_id, loop.time())

    def _rest_of(self, project_id: UUID) -> float:
        return 0.0 if self._stopping else self._rests.rest_of(project_id, asyncio.get_running_loop().time())

    def _rested(self, line: Line) -> None:
        # It waits for a lull, too, and may have been ended meanwhile.
        if (resting := self._resting.pop(line, None)) is not None:
            resting.cancel()
            self._waiting.written(line)
            self._begin()

    async def _flush(self, items: list[_Waiting]) -> None:
        entries = [item.entry for item in items]
        began = time.perf_counter()
        try:
            news = await self._writing.write(entries)
            self._full = False
            self._on_flushed(sum(len(entry.events) for entry in entries), time.perf_counter() - began)
        except CUT_OFF as error:
            self._full = disk_is_full(error)
            said = "DiskFull" if self._full else type(error).__name__
            log.warning("events_not_stored", events=sum(len(e.events) for e in entries), error=said)
            _fail(items, Unavailable(FULL if self._full else AWAY))
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
            self._answer(items, news)

    def _answer(self, items: list[_Waiting], news: News) -> None:
        project_id = items[0].entry.project_id
        apart = answered_over(len(items)) if self.spares(project_id) else 0.0
        loop = asyncio.get_running_loop()
        for place, (item, count) in enumerate(zip(items, _counts(items, news), strict=True)):
            if apart:
                loop.call_later(place * apart, self._lulls.run, project_id, partial(_tell, item, count))
            else:
                _tell(item, count)


def _counts(items: list[_Waiting], news: News) -> Iterator[int]:
    """How many events of each are new."""
    left = None if news.keys is None else set(news.keys)
    for item in items:
        if left is None:
            yield len(item.entry.events)
        else:
            # Counted for the first that brought it: a retry may stand in the same flush as its original.
            brought = left & {(item.entry.session_id, event.id) for event in item.entry.events}
            left -= brought
            yield len(brought)


def _tell(item: _Waiting, count: int) -> None:
    if not item.done.done():
        item.done.set_result(count)


def _fail(items: list[_Waiting], error: Exception) -> None:
    for item in items:
        if not item.done.done():
            item.done.set_exception(error)
