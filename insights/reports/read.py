"""Reads the closed sessions of a time with their current insights' reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import BY_A_PERSON, Insight, Session
from insights.reports.mix import Told
from insights.segments.stored_fields import device_of
from insights.vocabulary.reasons import Kind, Reason

MOST: Final = 20_000
"""Sessions that one report looks at; the newest ones."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which sessions: None does not restrict."""

    page: str | None = None
    landing: str | None = None
    utm_source: str | None = None
    device: str | None = None


async def read_told(
    tx: AsyncSession, project_id: UUID, kind: Kind, where: Where, since: datetime, until: datetime
) -> tuple[list[Told], bool]:
    """People's sessions closed in [since, until), newest first, and whether there were more than may be looked at."""
    utm_source = Session.source["utm_source"].astext
    query = (
        select(
            Session.id,
            Insight.reason,
            Session.closed_at,
            Session.exit_path,
            Session.landing_path,
            utm_source,
            Session.client,
        )
        .join(
            Insight,
            and_(
                Insight.project_id == Session.project_id,
                Insight.session_id == Session.id,
                Insight.superseded_at.is_(None),
            ),
        )
        .where(
            Session.project_id == project_id,
            Session.closed_at >= since,
            Session.closed_at < until,
            Insight.kind == kind.value,
            BY_A_PERSON,
        )
        .order_by(Session.closed_at.desc(), Session.id.desc())
        .limit(MOST + 1)
    )
    if where.page is not None:
        query = query.where(Session.exit_path == where.page)
    if where.landing is not None:
        query = query.where(Session.landing_path == where.landing)
    if where.utm_source is not None:
        query = query.where(utm_source == where.utm_source)
    rows = (await tx.execute(query)).all()
    told = [
        Told(session_id, Reason(reason), closed_at, exit_path, landing_path, source, device_of(client))
        for session_id, reason, closed_at, exit_path, landing_path, source, client in rows[:MOST]
        if closed_at is not None
    ]
    if where.device is not None:
        told = [one for one in told if one.device == where.device]
    return told, len(rows) > MOST
