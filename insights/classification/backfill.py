"""Names the reasons of sessions that closed long ago again, side by side.

What comes of it starts no flow: nobody wants a mail about a visit of last month.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.classification.closing import SessionCloser
from insights.errors import NotFound, SessionStillOpen
from insights.models import BY_A_PERSON, Insight, Session

MOST_SESSIONS: Final = 1_000_000


@dataclass
class Tally:
    """What a backfill did. ``by_rules``: named by the rules, because the model had no usable answer."""

    named: int = 0
    by_rules: int = 0
    skipped: int = 0


async def sessions_to_name(
    tx: AsyncSession, project_id: UUID, classifier: str, *, since: datetime | None, limit: int = MOST_SESSIONS
) -> list[UUID]:
    """People's closed sessions whose current insight is not by this classifier, the latest first."""
    query = (
        select(Insight.session_id)
        .join(Session, (Session.project_id == Insight.project_id) & (Session.id == Insight.session_id))
        .where(
            Insight.project_id == project_id,
            Insight.superseded_at.is_(None),
            Insight.classifier != classifier,
            Session.close_at.is_(None),
            BY_A_PERSON,
        )
        .order_by(Insight.session_id.desc())
        .limit(limit)
    )
    if since is not None:
        query = query.where(Session.started_at >= since)
    return list(await tx.scalars(query))


async def name_again(
    closer: SessionCloser,
    project_id: UUID,
    sessions: Iterable[UUID],
    *,
    parallel: int,
    told: Callable[[], None] = lambda: None,
) -> Tally:
    """Names sessions again, at most ``parallel`` at a time; those that went or opened meanwhile are skipped."""
    tally, places = Tally(), asyncio.Semaphore(parallel)

    async def one(session_id: UUID) -> None:
        async with places:
            try:
                said = await closer.classify_session(project_id, session_id, act=False)
            except (NotFound, SessionStillOpen):
                tally.skipped += 1
            else:
                tally.named += 1
                tally.by_rules += said.insight["fallback"] is not None
        told()

    await asyncio.gather(*(one(session_id) for session_id in sessions))
    return tally
