"""Erases what is kept too long: whole days of events for everybody, then each project's own visits and visitors.

A visit is as old as the day in its id. A visitor of whom nothing is left but old news is erased altogether.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Column, Table, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.acting import acting
from adapters.postgres.engine import Database
from adapters.postgres.partitions import FEWEST_DAYS, PartitionsNotDropped, drop_before
from flows.models import Conversion
from insights.events.people import outdate
from insights.models import Project, RejectedEvent, Session, Visitor
from insights.models.privacy_setting import PrivacySetting
from insights.privacy.erase import erase_visitors, tables_of_visitors
from insights.privacy.forgetting import tell
from insights.privacy.remembered import forget_old
from insights.vocabulary.ids import first_uuid_of_day

log = structlog.get_logger()

AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """For how many days each project keeps its visitors; None: for ever."""

    projects: dict[UUID, int | None]

    @property
    def longest(self) -> int | None:
        """As long as anybody keeps them."""
        days = list(self.projects.values())
        return None if not days or None in days else max(day for day in days if day is not None)


async def kept_by(database: Database, server_days: int) -> Kept:
    """``server_days``: for projects that say nothing, 0 for ever."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id).order_by(Project.id)))
    days: dict[UUID, int | None] = {}
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            row = await tx.get(PrivacySetting, project_id)
        own = row.keep_days if row is not None else None
        days[project_id] = max(own or server_days, FEWEST_DAYS) if own or server_days else None
    return Kept(days)


async def retain(database: Database, server_days: int, now: datetime) -> dict[str, int]:
    """Erases what is older than is kept, by ``now`` and by the database's clock; returns how many rows of which table.
    Workers that meet do no harm. What is old goes of itself, whoever runs this: the notes do not name them."""
    with acting(None):
        return await _retain_all(database, server_days, now)


async def _retain_all(database: Database, server_days: int, now: datetime) -> dict[str, int]:
    now = await database.earlier(now)
    kept = await kept_by(database, server_days)
    if kept.longest is not None:
        await _drop_days(database, now - timedelta(days=kept.longest))
    counts: dict[str, int] = {}
    for project_id, days in kept.projects.items():
        async with database.transaction(project_id) as tx:
            await forget_old(tx, project_id, now)
        if days is not None:
            for name, count in (await _retain(database, project_id, now - timedelta(days=days))).items():
                counts[name] = counts.get(name, 0) + count
    if counts:
        log.info("old_visits_erased", rows=sum(counts.values()))
    return counts


async def _drop_days(database: Database, since: datetime) -> None:
    try:
        gone = await asyncio.to_thread(drop_before, database.urls.owner, since.date())
        if gone:
            log.info("partitions_dropped", count=len(gone))
    except PartitionsNotDropped as error:
        # Their rows go one project after the other instead.
        log.warning("partitions_not_dropped", why=str(error))


async def _retain(database: Database, project_id: UUID, since: datetime) -> dict[str, int]:
    bound = first_uuid_of_day(since.date())
    counts: dict[str, int] = {}
    for table in tables_of_visitors():
        column = table.c.id if table is Session.__table__ else table.c.get("session_id")
        if column is None:
            continue
        while count := await _part(database, project_id, table, column, bound):
            counts[table.name] = counts.get(table.name, 0) + count
    while True:
        async with database.transaction(project_id) as tx:
            if not await _alone(tx, project_id):
                return counts
            found = await _forgotten(tx, project_id, bound, since)
            for name, count in (await erase_visitors(tx, project_id, found, faded=True)).items() if found else ():
                counts[name] = counts.get(name, 0) + count
            await tell(tx, project_id, found)
        if len(found) < AT_ONCE:
            break
    async with database.transaction(project_id) as tx:
        old = delete(RejectedEvent).where(RejectedEvent.project_id == project_id, RejectedEvent.received_at < since)
        if count := getattr(await tx.execute(old), "rowcount", 0):
            counts["rejected_event"] = counts.get("rejected_event", 0) + count
    return counts


async def _part(database: Database, project_id: UUID, table: Table, session: Column[Any], bound: UUID) -> int:
    old = select(session).where(table.c.project_id == project_id, session < bound)
    async with database.transaction(project_id) as tx:
        sessions = list(await tx.scalars(old.distinct().limit(AT_ONCE)))
        if not sessions:
            return 0
        gone = await tx.scalars(
            delete(table).where(table.c.project_id == project_id, session.in_(sessions)).returning(table.c.visitor_id)
        )
        visitors = list(gone)
        # What a live profile was built from is gone: it is built anew.
        await outdate(tx, project_id, set(visitors))
    return len(visitors)


async def _alone(tx: AsyncSession, project_id: UUID) -> bool:
    return bool(await tx.scalar(select(func.pg_try_advisory_xact_lock(func.hashtext(f"retain {project_id}")))))


async def _forgotten(tx: AsyncSession, project_id: UUID, bound: UUID, since: datetime) -> Collection[UUID]:
    """Visitors who were not here since, and bought nothing elsewhere, up to so many."""
    here = or_(
        exists().where(Session.project_id == project_id, Session.visitor_id == Visitor.id, Session.id >= bound),
        exists().where(
            Conversion.project_id == project_id, Conversion.visitor_id == Visitor.id, Conversion.session_id >= bound
        ),
    )
    said = func.greatest(Visitor.first_seen_at, Visitor.identified_at, Visitor.consented_at)
    return set(
        await tx.scalars(select(Visitor.id).where(Visitor.project_id == project_id, said < since, ~here).limit(AT_ONCE))
    )
