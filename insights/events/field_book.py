"""Knows what each project keeps: which props, which names are believed, and nothing of whom it erased lately. Read when
a project is first heard of, then again behind the requests' backs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from insights.errors import Unavailable
from insights.events.erased import NOBODY, Erased, read_erased
from insights.identity.proof import ANY_CLAIM, Proof
from insights.identity.secrets import read_proof
from insights.models import PrivacySetting
from insights.sealing import Sealer
from insights.vocabulary.ids import IdNumber

log = structlog.get_logger()

FRESH_SECONDS: Final = 10.0
"""How long a change may take to reach a process."""

OUTDATED: Final = -1.0
"""In the place of when something is to be read again: before it is used."""

Extra = frozenset[str] | None
"""Props beyond the catalogue's that are kept, as ``name`` or ``type.name``; None keeps all."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a project keeps: ``extra`` props, and nothing that is told of ``erased`` visitors from before.

    ``proof``: what it asks of whoever says who somebody is.
    """

    extra: Extra = None
    erased: Erased = NOBODY
    proof: Proof = ANY_CLAIM


class FieldBook:
    """What all projects keep that a process has heard of. ``close`` it."""

    def __init__(self, database: Database, sealer: Sealer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._known: dict[IdNumber, tuple[float, Kept]] = {}
        self._asking: dict[UUID, asyncio.Task[Kept]] = {}
        self._changes = 0

    def at_hand(self, project_id: UUID) -> Kept | None:
        """What the project keeps, if that is known; what is old is asked for again meanwhile."""
        known = self._known.get(project_id.int)
        if known is None or known[0] == OUTDATED:
            return None
        if known[0] < self._clock():
            self._ask(project_id)
        return known[1]

    async def of(self, project_id: UUID) -> Kept:
        """What the project keeps. Raises Unavailable when it was never read and cannot be."""
        kept = self.at_hand(project_id)
        if kept is not None:
            return kept
        try:
            return await asyncio.shield(self._ask(project_id))
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("database_unreachable", error=type(error).__name__)
            raise Unavailable(
                "The database cannot be reached. Nothing was stored; send the same request again."
            ) from error

    def outdate(self, project_id: UUID | None) -> None:
        """Something changed that must hold at once, in one project or (None) in any: it is read before the next request
        goes on."""
        self._changes += 1
        for changed in list(self._known) if project_id is None else [project_id.int]:
            if (known := self._known.get(changed)) is not None:
                self._known[changed] = (OUTDATED, known[1])

    async def close(self) -> None:
        """Waits for what is being read."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _ask(self, project_id: UUID) -> asyncio.Task[Kept]:
        task = self._asking.get(project_id)
        if task is None:
            task = self._asking[project_id] = asyncio.create_task(self._read(project_id), name="what is kept")
            task.add_done_callback(lambda done: self._asked(project_id, done))
        return task

    def _asked(self, project_id: UUID, done: asyncio.Task[Kept]) -> None:
        self._asking.pop(project_id, None)
        known = self._known.get(project_id.int)
        if not done.cancelled() and done.exception() is not None and known is not None and known[0] != OUTDATED:
            # The old list goes on for a while.
            self._known[project_id.int] = (self._clock() + FRESH_SECONDS, known[1])

    async def _read(self, project_id: UUID) -> Kept:
        before = self._known.get(project_id.int)
        while True:
            changes = self._changes
            async with self._database.transaction(project_id) as tx:
                row = await tx.get(PrivacySetting, project_id)
                erased = await read_erased(tx, project_id, before[1].erased if before is not None else None)
                proof = await read_proof(tx, self._sealer, project_id)
            if changes == self._changes:
                break
        extra = None if row is None or row.extra_fields is None else frozenset(map(str, row.extra_fields))
        kept = Kept(extra, erased, proof)
        self._known[project_id.int] = (self._clock() + FRESH_SECONDS, kept)
        return kept
