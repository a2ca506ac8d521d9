"""Commits a flush: in one round trip where nothing follows from it, and once more where its connection was lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from adapters.postgres.engine import Database
from adapters.postgres.faults import is_duplicate, takes_nothing
from adapters.postgres.pipe import AlreadyStored, NoRoomLeft, NotTaken, ServerAway, StatementRefused
from adapters.postgres.pipes import Pipes
from insights.events.aftermath import has_aftermath, write_aftermath
from insights.events.entry import Entry
from insights.events.flush import Flush, News, SessionTimes, keys_in, stored_of
from insights.events.people import outdate
from insights.events.rows import Key

log = structlog.get_logger()

CUT_OFF: Final = (OperationalError, InterfaceError, OSError, TimeoutError)
"""What says that the database cannot be reached, or was lost half-way."""

TRIES: Final = 5
"""How often a flush is made again because some of it turned out to be stored."""

T = TypeVar("T")

OnPeopleChanged = Callable[[UUID, Collection[UUID]], None]


class Writing:
    """Writes entries of one project at a time; of several projects side by side, ``at_once`` of them.

    ``stale`` and ``withheld`` count the entries whose profile was behind, and the decisions that fell for it.
    """

    def __init__(
        self, database: Database, times: SessionTimes, *, at_once: int, on_people_changed: OnPeopleChanged
    ) -> None:
        self._database = database
        self._pipes = Pipes(database.urls, at_once)
        self._times = times
        self._on_people_changed = on_people_changed
        self.stale = 0
        self.withheld = 0

    @property
    def away(self) -> bool:
        """Whether the database is known to be away: nothing can be written until it is back, which is looked for."""
        return self._pipes.away

    async def while_there(self, work: Awaitable[T]) -> T:
        """What ``work`` returns. Raises ServerAway as soon as the database turns out to be away."""
        return await self._pipes.while_there(work)

    async def close(self) -> None:
        """Gives the connections back."""
        await self._pipes.close()

    async def write(self, entries: Sequence[Entry]) -> News:
        """Commits entries of one project together. Returns what of them is new.

        Raises CUT_OFF when the database cannot be reached or takes nothing; StatementRefused and DBAPIError when it
        refuses these.
        """
        if self.away:
            raise ServerAway("known to be")
        doubtful = [entry for entry in entries if not entry.surely_new]
        try:
            return await self._write(entries, doubtful)
        except (ServerAway, NoRoomLeft):
            raise
        except CUT_OFF as error:
            # A connection that died before or during the commit: the same rows again are harmless.
            log.info("connection_lost_while_storing", error=str(error).partition("\n")[0])
            return await self._write(entries, entries)

    async def _write(self, entries: Sequence[Entry], doubtful: Sequence[Entry]) -> News:
        """``doubtful``: some of theirs may be stored already."""
        for _ in range(TRIES):
            stored = await self._stored(doubtful) if doubtful else None
            try:
                return await self._commit(entries, stored)
            except AlreadyStored:
                # Another process has just stored them, or they are twice in this flush.
                doubtful = entries
        raise StatementRefused("stored by somebody else each time")

    async def _stored(self, entries: Sequence[Entry]) -> set[Key]:
        project_id = entries[0].project_id
        (answer,) = await self._pipes.run(project_id, [stored_of(project_id, entries)])
        return keys_in(answer)

    async def _commit(self, entries: Sequence[Entry], stored: set[Key] | None) -> News:
        project_id = entries[0].project_id
        flush = Flush(project_id, entries, self._times, stored)
        if not has_aftermath(entries):
            return self._counted(flush.told(await self._pipes.run(project_id, flush.statements)))
        # The pool waits for a server that is starting, for seconds; a pipe tells at once that there is none.
        await self._pipes.run(project_id, [])
        try:
            news, affected = await self._commit_with_aftermath(project_id, entries, flush)
        except DBAPIError as error:
            if is_duplicate(error):
                raise AlreadyStored(type(error).__name__) from error
            if takes_nothing(error):
                raise NotTaken(type(error.orig).__name__) from error
            raise
        self._counted(news)
        if affected:
            await self._outdate(project_id, affected)
            self._on_people_changed(project_id, affected)
        return news

    async def _commit_with_aftermath(
        self, project_id: UUID, entries: Sequence[Entry], flush: Flush
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
