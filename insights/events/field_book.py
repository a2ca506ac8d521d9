"""Knows which props each project keeps: read when it is first heard of, then again behind the requests' backs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from insights.errors import Unavailable
from insights.models import PrivacySetting
from insights.vocabulary.ids import IdNumber

log = structlog.get_logger()

FRESH_SECONDS: Final = 10.0
"""How long a change may take to reach a process."""

Extra = frozenset[str] | None
"""Props beyond the catalogue's that are kept, as ``name`` or ``type.name``; None keeps all."""


class FieldBook:
    """The lists of all projects that a process has heard of. ``close`` it."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[IdNumber, tuple[float, Extra]] = {}
        self._asking: dict[UUID, asyncio.Task[Extra]] = {}

    def at_hand(self, project_id: UUID) -> tuple[bool, Extra]:
        """Whether the project's list is known, and the list; an old one is asked for again meanwhile."""
        known = self._known.get(project_id.int)
        if known is None:
            return False, None
        if known[0] < self._clock():
            self._ask(project_id)
        return True, known[1]

    async def of(self, project_id: UUID) -> Extra:
        """The project's list. Raises Unavailable when it was never read and cannot be."""
        known, extra = self.at_hand(project_id)
        if known:
            return extra
        try:
            return await asyncio.shield(self._ask(project_id))
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("database_unreachable", error=type(error).__name__)
            raise Unavailable(
                "The database cannot be reached. Nothing was stored; send the same request again."
            ) from error

    async def close(self) -> None:
        """Waits for what is being read."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _ask(self, project_id: UUID) -> asyncio.Task[Extra]:
        task = self._asking.get(project_id)
        if task is None:
            task = self._asking[project_id] = asyncio.create_task(self._read(project_id), name="kept fields")
            task.add_done_callback(lambda done: self._asked(project_id, done))
        return task

    def _asked(self, project_id: UUID, done: asyncio.Task[Extra]) -> None:
        self._asking.pop(project_id, None)
        if not done.cancelled() and done.exception() is not None and project_id.int in self._known:
            # The old list goes on for a while.
            self._known[project_id.int] = (self._clock() + FRESH_SECONDS, self._known[project_id.int][1])

    async def _read(self, project_id: UUID) -> Extra:
        async with self._database.transaction(project_id) as tx:
            row = await tx.get(PrivacySetting, project_id)
        extra = None if row is None or row.extra_fields is None else frozenset(map(str, row.extra_fields))
        self._known[project_id.int] = (self._clock() + FRESH_SECONDS, extra)
        return extra
