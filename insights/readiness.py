"""Decides whether a process can do its work now, and says what is missing when it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from adapters.postgres.engine import Database
from adapters.postgres.faults import first_line

log = structlog.get_logger()

ANSWER_WITHIN: Final = 2.0
ASK_AGAIN: Final = 1.0
CLOCKS_APART: Final = 10.0
"""Seconds from which on a machine's clock is wrong, and not the answer late: a lease lasts a minute."""
NO_TABLE, NOT_ALLOWED = "42P01", "42501"
_LOOK: Final = text(
    "SELECT version_num, clock_timestamp(), current_setting('transaction_read_only') = 'on' FROM alembic_version"
)


class Readiness:
    """Whether this process is ready. ``draining`` is set once, when it was told to end. ``other_schema``: whether the
    schema was not this code's when the database last answered.

    ``revisions``: the schema's revisions that this code knows, oldest first. ``blocked``: why it can take no more, as a
    sentence. ``trouble``: what it can do without, as a sentence. ``clock``: this machine's. ``follow`` is told how far
    that is ahead of the database's whenever it was looked at: nothing as long as both are as good as the same.
    """

    def __init__(
        self,
        database: Database,
        revisions: Sequence[str],
        blocked: Callable[[], str | None] = lambda: None,
        trouble: Callable[[], str | None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        follow: Callable[[timedelta], None] = lambda ahead: None,
    ) -> None:
        self._database = database
        self._revisions = list(revisions)
        self._blocked = blocked
        self._trouble = trouble
        self._clock = clock
        self._follow = follow
        self._ahead = 0.0
        self.draining = False
        self.other_schema = False

    def drain(self) -> None:
        """From now on the process is not ready."""
        self.draining = True

    async def missing(self) -> str | None:
        """What keeps the process from its work, as a sentence; None when nothing does."""
        if self.draining:
            return "draining: this process was told to end"
        trouble = await self.schema_trouble()
        if trouble is not None:
            return trouble
        return self._blocked()

    @property
    def ready(self) -> str:
        """What to say of a process that misses nothing it needs."""
        trouble = self._trouble() or self._clock_trouble()
        return "ok" if trouble is None else f"ok, but {trouble}"

    def _clock_trouble(self) -> str | None:
        if abs(self._ahead) < CLOCKS_APART:
            return None
        apart = f"{abs(self._ahead):,.0f} s {'ahead of' if self._ahead > 0 else 'behind'} the database's"
        return f"this machine's clock is {apart}: events are dated by it, work goes by the database's"

    async def schema_trouble(self) -> str | None:
        """What is wrong with the database or its schema; None when this code can work on it."""
        ours = self._revisions[-1]
        try:
            async with asyncio.timeout(ANSWER_WITHIN), self._database.transaction(None) as tx:
                asked = await tx.execute(_LOOK)
                row = asked.one_or_none()
                found = None if row is None else row[0]
                read_only = row is not None and row[2]
                self._ahead = 0.0 if row is None else (self._clock() - row[1]).total_seconds()
                self._follow(timedelta(seconds=self._ahead if abs(self._ahead) >= CLOCKS_APART else 0))
        except DBAPIError as error:
            # The right to read it came with a revision of its own: whoever may not, stands before that one.
            if getattr(error.orig, "sqlstate", None) not in (NO_TABLE, NOT_ALLOWED):
                log.warning("database_not_reached", error=first_line(error.orig or error))
                return "the database cannot be reached"
            found, read_only = None, False
        except TimeoutError:
            return "the database does not answer in time"
        except (SQLAlchemyError, OSError):
            return "the database cannot be reached"
        self.other_schema = found != ours
        if found == ours:
            return "the database takes no writes: it is a standby, or set to read only" if read_only else None
        if found is None or found in self._revisions:
            return f"starting: the schema is older than this code ({ours}); run `whyleft migrate`"
        return f"the schema ({found}) is newer than this code ({ours}); start the version that it belongs to"

    async def wait_for_schema(self, stop: asyncio.Event) -> None:
        """Returns when the schema is this code's, or when ``stop`` is set."""
        said: str | None = None
        while not stop.is_set():
            trouble = await self.schema_trouble()
            if trouble is None:
                if clock := self._clock_trouble():
                    log.warning("clocks_differ", why=clock)
                return
            if trouble != said:
                log.warning("waiting", why=trouble)
                said = trouble
            try:
                await asyncio.wait_for(stop.wait(), ASK_AGAIN)
            except TimeoutError:
                continue
