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
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from insights.models import Pattern, PatternLook, Project
from insights.patterns.actions import advise, choices
from insights.patterns.cells import Cell, Dimension
from insights.patterns.counts import (
    REASONS,
    Field,
    hours_of_last,
    join_at_once,
    read_field,
    read_labels,
    read_without,
)
from insights.patterns.evidence import Evidence, read_evidence
from insights.patterns.finding import Found, Standing, own_changes, quieten, shares_of
from insights.patterns.notices import announce
from insights.patterns.tell import Teller
from insights.patterns.trigger import start_flows
from insights.patterns.words import Facts, cell_words, narrative
from insights.reports.changes import USUAL, Counts, Rules, find_changes, is_back
from insights.reports.confusion import corrected_mix
from insights.vocabulary.ids import uuid7
from insights.vocabulary.reasons import Kind, Reason

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=50)
"""Looks that nobody asked for are this far apart at least; the clock's ticks are an hour apart."""
LONGEST: Final = timedelta(days=14)
"""A change that stays this long is what is usual from then on."""


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
        ended = await _end(tx, project_id, standing, field, now, rules)
        await _forget_past(tx, project_id, field, now, rules)
        changes = await asyncio.to_thread(find_changes, field.counts, rules)

        async def without(cell: Cell, others: Sequence[Cell]) -> Counts:
            return await read_without(tx, project_id, now, rules, cell, others)

        still = [
            Standing(cell_of(row), Reason(row.reason), row.after > row.before)
            for row in standing
            if row.id not in ended
        ]
        found = await own_changes(changes, field, still, without, rules)
        written = [await self._prepared(tx, project_id, one, field, now) for one in found]
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

    async def _prepared(
        self, tx: AsyncSession, project_id: UUID, found: Found, field: Field, now: datetime
    ) -> tuple[dict[str, Any], Evidence]:
        """The row of a pattern, and what stands behind it."""
        cell, reason, change = found.cell, found.reason, found.change
        began_at = now - timedelta(hours=change.began)
        evidence = await read_evidence(tx, project_id, cell, reason, began_at, now)
        label = label_of(cell, evidence)
        shown = await _corrected(tx, project_id, found, field)
        also = [cell_words(one.dimension, one.name) for one in found.also]
        facts = Facts(
            cell.dimension,
            label,
            cell.kind,
            reason,
            *shown[:6],
            evidence.sessions,
            evidence.cell_sessions,
            began_at,
            also,
            evidence.at_stake,
        )
        advice = advise(
            choices(cell.kind, reason, rises=change.rises)[0],
            reason,
            dimension=cell.dimension,
            name=label,
            sessions=evidence.sessions,
            rises=change.rises,
            shared=evidence.shared,
        )
        values: dict[str, Any] = {
            "project_id": project_id,
            "id": uuid7(),
            "found_at": now,
            "began_at": began_at,
            "looked_at": now,
            "dimension": cell.dimension.value,
            "name": cell.name,
            "label": label,
            "kind": cell.kind.value,
            "reason": reason.value,
            "version": cell.version,
            "before": shown[0],
            "before_low": shown[1],
            "before_high": shown[2],
            "after": shown[3],
            "after_low": shown[4],
            "after_high": shown[5],
            "corrected": shown[6],
            "tested_before": change.before,
            "before_n": change.before_n,
            "p_value": change.p_value,
            "sessions": evidence.sessions,
            "cell_sessions": evidence.cell_sessions,
            "session_ids": [str(one) for one in evidence.session_ids],
            "also": [{"dimension": one.dimension.value, "name": one.name} for one in found.also],
            "at_stake": evidence.at_stake if change.rises and cell.kind is Kind.ABANDONED else {},
            "action": advice.action.value,
            "params": dict(advice.params),
            "narrative": narrative(facts, advice.sentence),
            "told_by": "template",
        }
        return values, evidence


def rules_of(hours: int | None) -> Rules:
    """The usual rules, or those for another length of "now": half-life and blocks go with it."""
    if hours is None or hours == USUAL.recent:
        return USUAL
    half_life = max(1.0, hours / 5)
    return replace(USUAL, recent=max(2, hours), half_life=half_life, block=max(1, round(half_life)))


def cell_of(row: Pattern) -> Cell:
    """The cell of a stored pattern."""
    return Cell(Dimension(row.dimension), row.name, Kind(row.kind), row.version)


def label_of(cell: Cell, evidence: Evidence) -> str:
    """What people call the cell."""
    if cell.dimension is Dimension.PRODUCT and evidence.product_name and evidence.shared.product == cell.name:
        return evidence.product_name
    return cell.name[:500]


async def _end(
    tx: AsyncSession, project_id: UUID, standing: Sequence[Pattern], field: Field, now: datetime, rules: Rules
) -> set[UUID]:
    """Ends what is over; the ids of those."""
    ended: set[UUID] = set()
    for row in standing:
        why = _over(row, field, now, rules)
        if why is not None:
            ended.add(row.id)
        await tx.execute(
            update(Pattern)
            .where(Pattern.project_id == project_id, Pattern.id == row.id)
            .values(looked_at=now, **({} if why is None else {"ended_at": now, "end_reason": why}))
        )
    return ended


def _over(row: Pattern, field: Field, now: datetime, rules: Rules) -> str | None:
    """Why a pattern is over: back, stays (it is what is usual now), version (another classifier speaks), quiet."""
    cell = cell_of(row)
    at = field.index(cell)
    recent = 0.0 if at is None else float(field.counts.sessions[at, -rules.recent :].sum())
    if recent == 0:
        spoken = any(
            (one.dimension, one.name, one.kind) == (cell.dimension, cell.name, cell.kind)
            and one.version != cell.version
            for one in field.cells
        )
        return "version" if spoken else "quiet"
    if now - row.began_at > LONGEST:
        return "stays"
    assert at is not None  # noqa: S101 - there are recent sessions of it
    reason = REASONS.index(Reason(row.reason))
    return "back" if is_back(row.tested_before, row.before_n, field.counts, at, reason, rules) else None


async def _forget_past(tx: AsyncSession, project_id: UUID, field: Field, now: datetime, rules: Rules) -> None:
    """What was a pattern and went back is no part of what is usual."""
    since = now - timedelta(hours=rules.hours)
    rows = await tx.scalars(
        select(Pattern).where(Pattern.project_id == project_id, Pattern.ended_at > since, Pattern.end_reason == "back")
    )
    for row in rows:
        if row.ended_at is None:
            continue
        first = rules.hours - int((now - row.began_at).total_seconds() // 3600)
        last = rules.hours - int((now - row.ended_at).total_seconds() // 3600)
        # The last hours are what is looked at: they stay.
        quieten(field, cell_of(row), slice(max(0, first), max(0, min(last, rules.hours - rules.recent))))


async def _corrected(
    tx: AsyncSession, project_id: UUID, found: Found, field: Field
) -> tuple[float, float, float, float, float, float, bool]:
    """Both shares with intervals, and whether they are corrected for what the classifier confuses."""
    change, cell = found.change, found.cell
    plain = (
        change.before,
        change.before_low,
        change.before_high,
        change.after,
        change.after_low,
        change.after_high,
        False,
    )
    labels = await read_labels(tx, project_id, cell.kind, cell.version)
    if not labels.any():
        return plain
    everywhere = field.index(Cell(Dimension.ALL, "", cell.kind, cell.version))
    if everywhere is None:
        return plain
    usual, _ = shares_of(field.counts, everywhere, field.counts.sessions.shape[1])
    now, now_n = shares_of(field.counts, change.cell, change.began)
    past = field.counts.until(change.began)
    before, _ = shares_of(past, change.cell, past.sessions.shape[1])
    was = corrected_mix(before, change.before_n, labels, usual)
    is_now = corrected_mix(now, max(1.0, now_n / change.phi), labels, usual)
    if was is None or is_now is None:
        return plain
    at = change.reason
    return (
        *(float(one[at]) for one in was),
        *(float(one[at]) for one in is_now),
        True,
    )  # type: ignore[return-value]


def _note(project_id: UUID, now: datetime, field: Field, found: int) -> Any:
    values = {"looked_at": now, "sessions": field.sessions, "cells": len(field.cells), "found": found}
    return (
        insert(PatternLook)
        .values(project_id=project_id, **values)
        .on_conflict_do_update(index_elements=[PatternLook.project_id], set_=values)
    )


def _take_turn(project_id: UUID) -> Any:
    return select(func.pg_try_advisory_xact_lock(func.hashtextextended(f"patterns {project_id}", 0)))
