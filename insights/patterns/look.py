"""Looks for patterns in one project, writes what it finds, ends what is over, and starts what was asked for.

Everything but a model's narrative is one transaction under a lock of its own, so that two workers do it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from insights.models import Pattern, PatternLook, Project
from insights.patterns.cells import Cell
from insights.patterns.counts import (
    Field,
    hours_of_last,
    join_at_once,
    read_field,
    read_without,
)
from insights.patterns.described import described
from insights.patterns.endings import cell_of, end_what_is_over, forget_past
from insights.patterns.evidence import Evidence
from insights.patterns.finding import Standing, own_changes
from insights.patterns.notices import announce
from insights.patterns.tell import Teller
from insights.patterns.trigger import start_flows
from insights.reports.changes import USUAL, Counts, Rules, find_changes
from insights.vocabulary.reasons import Reason

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=50)
"""Looks that nobody asked for are this far apart at least; the clock's ticks are an hour apart."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look saw: when, at how many sessions and cells, and the patterns that are new."""

    at: datetime
    sessions: int
    cells: int
    found: tuple[UUID, ...]
    ended: int


class Looker:
    """Looks for the patterns of every project."""

    def __init__(self, database: Database, teller: Teller, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._teller = teller
        self._clock = clock

    async def look_everywhere(self) -> None:
        """One look at each project that nobody has looked at within the hour."""
        async with self._database.transaction(None) as tx:
            projects = list(await tx.scalars(select(Project.id)))
        for project_id in projects:
            try:
                await self.look(project_id, unless_since=EVERY)
            except (DBAPIError, OSError, TimeoutError):
                raise
            except Exception:
                # What is wrong with one project must not keep the others from being looked at.
                log.exception("look_failed", project=str(project_id))

    async def look(
        self,
        project_id: UUID,
        *,
        hours: int | None = None,
        last: int | None = None,
        unless_since: timedelta | None = None,
    ) -> Looked | None:
        """One look: the last ``hours``, or the hours that the ``last`` sessions took, against the two weeks before.
        What is over is for the usual length to say.

        None when somebody else is looking just now, or has looked within ``unless_since``.
        """
        now = self._clock()
        async with self._database.transaction(project_id) as tx:
            if not await tx.scalar(_take_turn(project_id)):
                return None
            seen = await tx.scalar(select(PatternLook.looked_at).where(PatternLook.project_id == project_id))
            if unless_since is not None and seen is not None and now - seen < unless_since:
                return None
            if last is not None:
                hours = await hours_of_last(tx, project_id, last, now)
            looked = await self._look(tx, project_id, now, rules_of(hours))
        for pattern_id in looked.found:
            await self._teller.tell(project_id, pattern_id)
        log.info("looked", project=str(project_id), cells=looked.cells, found=len(looked.found), ended=looked.ended)
        return looked

    async def _look(self, tx: AsyncSession, project_id: UUID, now: datetime, rules: Rules) -> Looked:
        await join_at_once(tx, True)
        standing = list(
            await tx.scalars(select(Pattern).where(Pattern.project_id == project_id, Pattern.ended_at.is_(None)))
        )
        field = await read_field(tx, project_id, now, rules, {cell_of(row) for row in standing})
        # By another length a change that goes on may be out of sight; the usual look would then tell it once more.
        ended = await end_what_is_over(tx, project_id, standing, field, now, rules) if rules == USUAL else set()
        await forget_past(tx, project_id, field, now, rules)
        changes = await asyncio.to_thread(find_changes, field.counts, rules)

        async def without(cell: Cell, others: Sequence[Cell]) -> Counts:
            return await read_without(tx, project_id, now, rules, cell, others)

        still = [
            Standing(cell_of(row), Reason(row.reason), row.after > row.before)
            for row in standing
            if row.id not in ended
        ]
        found = await own_changes(changes, field, still, without, rules)
        written = [await described(tx, project_id, one, field, now) for one in found]
        await join_at_once(tx, False)
        made = [values["id"] for values, evidence in written if await self._write(tx, values, evidence)]
        await tx.execute(_note(project_id, now, field, len(made)))
        return Looked(now, field.sessions, len(field.cells), tuple(made), len(ended))

    async def _write(self, tx: AsyncSession, values: dict[str, Any], evidence: Evidence) -> bool:
        """Whether the pattern is new; then it is announced, and what it triggers starts."""
        made = await tx.scalar(insert(Pattern).values(values).on_conflict_do_nothing().returning(Pattern.id))
        if made is None:
            return False
        now, project_id = values["found_at"], values["project_id"]
        await announce(tx, project_id, made, now + self._teller.patience)
        await start_flows(tx, project_id, values, evidence, now)
        return True


def rules_of(hours: int | None) -> Rules:
    """The usual rules, or those for another length of "now": half-life and blocks go with it."""
    if hours is None or hours == USUAL.recent:
        return USUAL
    half_life = max(1.0, hours / 5)
    return replace(USUAL, recent=max(2, hours), half_life=half_life, block=max(1, round(half_life)))


def _note(project_id: UUID, now: datetime, field: Field, found: int) -> Any:
    values = {"looked_at": now, "sessions": field.sessions, "cells": len(field.cells), "found": found}
    return (
        insert(PatternLook)
        .values(project_id=project_id, **values)
        .on_conflict_do_update(index_elements=[PatternLook.project_id], set_=values)
    )


def _take_turn(project_id: UUID) -> Any:
    return select(func.pg_try_advisory_xact_lock(func.hashtextextended(f"patterns {project_id}", 0)))
