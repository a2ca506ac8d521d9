"""The whole trail of a person: the visits on all their devices, what they ordered, what was sent to them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Conversion, Delivery
from insights.models import Insight, Session
from insights.vocabulary.page_end import PageEnd

MOST_ORDERS: Final = 50
MOST_MESSAGES: Final = 50


@dataclass(frozen=True, slots=True)
class Visit:
    """One session with what is said of it now."""

    session: Session
    insight: Insight | None


@dataclass(frozen=True, slots=True)
class Visits:
    """One page of visits, newest first; ``older`` is where the next page begins, if there is one."""

    visits: tuple[Visit, ...]
    older: PageEnd | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Over all devices. ``orders`` counts each order id once."""

    sessions: int
    orders: int
    messages: int


async def read_visits(
    tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], *, after: PageEnd | None = None, limit: int = 50
) -> Visits:
    """The visits of these visitors, newest first."""
    query = (
        select(Session, Insight)
        .outerjoin(
            Insight,
            and_(
                Insight.project_id == Session.project_id,
                Insight.session_id == Session.id,
                Insight.superseded_at.is_(None),
            ),
        )
        .where(Session.project_id == project_id, Session.visitor_id.in_(visitors))
        .order_by(Session.started_at.desc(), Session.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(Session.started_at, Session.id) < after)
    found = [Visit(session, insight) for session, insight in await tx.execute(query)]
    page = tuple(found[:limit])
    more = len(found) > limit
    return Visits(page, PageEnd(page[-1].session.started_at, page[-1].session.id) if more else None)


async def read_orders(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> tuple[Conversion, ...]:
    """The latest orders of these visitors, newest first."""
    rows = await tx.scalars(
        select(Conversion)
        .where(Conversion.project_id == project_id, Conversion.visitor_id.in_(visitors))
        .order_by(Conversion.occurred_at.desc(), Conversion.key)
        .limit(MOST_ORDERS)
    )
    return tuple(rows.all())


async def read_messages(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> tuple[Delivery, ...]:
    """What was sent to these visitors, or tried, newest first."""
    rows = await tx.scalars(
        select(Delivery)
        .where(Delivery.project_id == project_id, Delivery.visitor_id.in_(visitors))
        .order_by(Delivery.created_at.desc(), Delivery.id)
        .limit(MOST_MESSAGES)
    )
    return tuple(rows.all())


async def read_totals(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> Totals:
    """How much there is of everything."""
    counts = [
        select(func.count()).where(table.project_id == project_id, table.visitor_id.in_(visitors)).scalar_subquery()
        for table in (Session, Conversion, Delivery)
    ]
    sessions, orders, messages = (await tx.execute(select(*counts))).one()
    return Totals(sessions, orders, messages)
