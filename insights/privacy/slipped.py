"""Erases once more whom an erasure missed: a batch that was on its way meanwhile is stored when the erasure is over.

Such a batch was read before anybody knew of the erasure, and waited for its locks, or in line. It tells what happened
before, names among it, and makes them known anew. It is known by its time: what is stored of somebody who was erased
was received afterwards, or slipped in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from insights.events.erased import read_erased
from insights.models import ErasedVisitor, Event, Session
from insights.privacy.erase import erase_visitors
from insights.privacy.forgetting import Forget, tell
from insights.privacy.remembered import remember
from insights.vocabulary.ids import ms_to_datetime

log = structlog.get_logger()

LOOKED_FOR: Final = timedelta(minutes=10)
"""After an erasure: far longer than a batch waits for its commit."""
_AT_ONCE: Final = 1_000


async def erase_slipped(database: Database, project_id: UUID, forget: Forget) -> int:
    """Erases, with what they did since, visitors who were erased lately and of whom something from before is stored;
    returns how many rows."""
    async with database.transaction(project_id) as tx:
        now = datetime.now(UTC)
        visitors = await _slipped(tx, project_id, now - LOOKED_FOR)
        if not visitors:
            return 0
        outcome = await erase_visitors(tx, project_id, visitors)
        await remember(tx, project_id, visitors, now)
        await tell(tx, project_id, visitors)
    log.info("people_erased_again", project=str(project_id), rows=sum(outcome.values()))
    for visitor_id in visitors:
        forget(project_id, visitor_id)
    return sum(outcome.values())


async def _slipped(tx: AsyncSession, project_id: UUID, since: datetime) -> set[UUID]:
    last = await tx.scalar(select(func.max(ErasedVisitor.erased_at)).where(ErasedVisitor.project_id == project_id))
    if last is None or last < since:
        return set()
    erased = await read_erased(tx, project_id, None)
    # Whatever slipped in has just been written: its visit is open, or was closed since.
    lately = or_(Session.close_at.is_not(None), Session.closed_at >= since)
    visits = await tx.stream(select(Session.id, Session.visitor_id).where(Session.project_id == project_id, lately))
    suspect = [
        (session_id, visitor_id, until)
        async for part in visits.partitions(_AT_ONCE)
        for session_id, visitor_id in part
        if (until := erased.until(visitor_id))
    ]
    found: set[UUID] = set()
    for session_id, visitor_id, until in suspect:
        before = select(Event.id).where(
            Event.project_id == project_id,
            Event.session_id == session_id,
            Event.visitor_id == visitor_id,
            Event.received_at <= ms_to_datetime(until),
        )
        if await tx.scalar(before.limit(1)) is not None:
            found.add(visitor_id)
    return found
