"""Decides in which visit an order counts: however often it is told, and by whomever, it was placed once.

Of a visitor's visits that is the earliest one that tells of it, in whatever order they arrive. What a server alone
tells of an order is no visit where a page tells, too: a server knows of none. No page is believed that another visitor
did not buy what they told of: who guesses the numbers of orders would have their buyers written to. Nor does a page
take over an order of a server that proved itself: it has its visit, the order stays whose the server says.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from flows.models import Conversion
from insights.events.aside import OF_AN_ORDER
from insights.events.dialects.names import TABS
from insights.events.order_claims import AFTER, BEFORE
from insights.models import Event, Session

_BEFORE, _TOLD = aliased(Session), aliased(Event)
COUNTS_HERE = or_(
    Event.type != "purchased",
    ~(
        select(_TOLD.id)
        .join(_BEFORE, (_BEFORE.project_id == _TOLD.project_id) & (_BEFORE.id == _TOLD.session_id))
        .where(
            _BEFORE.project_id == Event.project_id,
            _BEFORE.visitor_id == Event.visitor_id,
            _BEFORE.id < Event.session_id,
            _BEFORE.purchased.is_(True),
            _TOLD.type == "purchased",
            _TOLD.props["order_id"].astext == Event.props["order_id"].astext,
        )
        .correlate(Event)
        .exists()
    ),
)
"""Whether a stored event is no order that an earlier visit of its visitor tells of."""

HAS_NO_VISIT = Conversion.session_id.is_not(None) & ~(
    select(Session.id)
    .where(Session.project_id == Conversion.project_id, Session.id == Conversion.session_id)
    .correlate(Conversion)
    .exists()
)
"""Whether a stored order was placed in no visit that is known: at a till, on the phone, or where no page told of it."""

_ELSEWHERE = text("""
SELECT conversion.key, told.session_id, told.visitor_id, conversion.session_id, conversion.visitor_id,
    NOT conversion.by_server OR told.visitor_id = conversion.visitor_id OR EXISTS (
        SELECT FROM person AS one JOIN person AS other
            ON other.project_id = one.project_id AND other.person_id = one.person_id
        WHERE one.project_id = :project AND one.visitor_id = told.visitor_id
            AND other.visitor_id = conversion.visitor_id
    ) OR (
        :now BETWEEN conversion.occurred_at - CAST(:before AS interval)
            AND conversion.occurred_at + CAST(:after AS interval)
        AND NOT EXISTS (
            SELECT FROM order_claim AS other
            WHERE other.project_id = :project AND other.visitor_id = told.visitor_id
                AND other.session_id = told.session_id AND other.key <> told.key))
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told(key text, session_id uuid, visitor_id uuid)
JOIN conversion ON conversion.project_id = :project AND conversion.key = told.key
WHERE conversion.session_id <> told.session_id
ORDER BY conversion.key, told.session_id
""")

_BY_SERVER = text("""
SELECT bool_and(type = ANY(:order) AND tab = ANY(:servers)) FROM event
WHERE project_id = :project AND session_id = :session
""")

_CONFIRM = text("""
UPDATE conversion SET by_server = true, value_minor = coalesce(CAST(:value AS bigint), value_minor),
    currency = CASE WHEN CAST(:value AS bigint) IS NULL THEN currency ELSE coalesce(:currency, currency) END
WHERE project_id = :project AND key = :key AND NOT by_server
""")

# It stays the order of a customer who has other devices: they are not written to because of it.
_MOVE = text("""
UPDATE conversion SET session_id = :session, visitor_id = CASE WHEN by_server OR EXISTS (
        SELECT FROM person WHERE project_id = :project AND person.visitor_id = conversion.visitor_id)
    THEN visitor_id ELSE :visitor END
WHERE project_id = :project AND key = :key
""")

_AGAIN = text("""
UPDATE conversion SET session_id = told.session_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told(key text, session_id uuid, visitor_id uuid)
WHERE conversion.project_id = :project AND conversion.key = told.key AND conversion.visitor_id = told.visitor_id
    AND conversion.session_id > told.session_id
""")

_LATER = text("""
SELECT unnest((array_agg(session.id ORDER BY session.id))[2:])
FROM (SELECT DISTINCT key, visitor_id
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(key text, visitor_id uuid)) AS told
JOIN session ON session.project_id = :project AND session.visitor_id = told.visitor_id AND session.purchased
WHERE EXISTS (SELECT FROM event WHERE event.project_id = :project AND event.session_id = session.id
              AND event.type = 'purchased' AND event.props ->> 'order_id' = told.key)
GROUP BY told.key, told.visitor_id
""")

_TAKE_BACK = text("""
DELETE FROM order_claim
WHERE project_id = :project AND key = :key AND visitor_id = :visitor AND session_id = :session
""")

# A visit that only told of an order is none, unless another order counts in it. Its events stay.
_FORGET = text("""
WITH gone AS (
    DELETE FROM session WHERE project_id = :project AND id = :session AND NOT EXISTS (
        SELECT FROM conversion
        WHERE project_id = :project AND visitor_id = :visitor AND conversion.session_id = :session)
    RETURNING id
)
DELETE FROM insight WHERE project_id = :project AND session_id IN (SELECT id FROM gone)
""")

# While it is open, nobody says that a visit did not buy. A closed one is looked at again.
_UNDO = text("""
UPDATE session SET purchased = CASE WHEN closed_at IS NULL THEN NULL ELSE false END,
    close_at = CASE WHEN closed_at IS NULL THEN close_at ELSE coalesce(close_at, :now) END
WHERE project_id = :project AND id = :session
""")


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that is stored, by the name it was first told under. ``session_id``: the visit that it counts in, where
    that is known. ``worth_known``: what it came to is told, too. ``by_server``: not by pages alone. ``at``: when it was
    placed."""

    key: str
    visitor_id: UUID
    session_id: UUID | None
    currency: str | None
    worth_known: bool
    by_server: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """An order as a visit of a visitor tells of it."""

    key: str
    session_id: UUID
    visitor_id: UUID


async def placed(tx: AsyncSession, project_id: UUID, keys: Collection[str]) -> list[Placed]:
    """Those of these orders that are stored, in the order in which they were placed."""
    around = (
        select(Session.id)
        .where(
            Session.project_id == Conversion.project_id,
            Session.visitor_id == Conversion.visitor_id,
            Session.started_at <= Conversion.occurred_at,
            Session.last_event_at >= Conversion.occurred_at,
            Session.purchased.is_(True),
        )
        .order_by(Session.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await tx.execute(
        select(
            Conversion.key,
            Conversion.visitor_id,
            func.coalesce(Conversion.session_id, around),
            Conversion.currency,
            Conversion.value_minor.is_not(None) & Conversion.currency.is_not(None),
            Conversion.by_server,
            Conversion.occurred_at,
        )
        .where(Conversion.project_id == project_id, Conversion.key.in_(keys))
        .order_by(Conversion.occurred_at, Conversion.key)
    )
    return [Placed(*row) for row in rows]


async def confirm(tx: AsyncSession, project_id: UUID, key: str, value_minor: int | None, currency: str | None) -> None:
    """A server that proves itself tells of an order as a page did; what it came to, the server knows better."""
    values = {"project": project_id, "key": key, "value": value_minor, "currency": currency}
    await tx.execute(_CONFIRM, values)


async def count_once(tx: AsyncSession, project_id: UUID, told: Collection[Told], now: datetime) -> set[UUID]:
    """Lets each of these orders, just stored as events and conversions, count in one visit of its visitor. Returns the
    visitors who have a visit less than before."""
    rows = json.dumps(
        [{"key": one.key, "session_id": str(one.session_id), "visitor_id": str(one.visitor_id)} for one in {*told}]
    )
    less: set[UUID] = set()
    around = {"now": now, "before": BEFORE, "after": AFTER}
    elsewhere = (await tx.execute(_ELSEWHERE, {"project": project_id, "rows": rows, **around})).all()
    for key, session_id, visitor_id, holds, buyer, moves in elsewhere:
        if moves and await is_by_server(tx, project_id, holds):
            moved = {"project": project_id, "key": key, "session": session_id, "visitor": visitor_id}
            await tx.execute(_MOVE, moved)
            less |= await _forget(tx, project_id, key, holds, buyer)
        elif await is_by_server(tx, project_id, session_id):
            less |= await _forget(tx, project_id, key, session_id, visitor_id)
    await tx.execute(_AGAIN, {"project": project_id, "rows": rows})
    for session_id in (await tx.scalars(_LATER, {"project": project_id, "rows": rows})).all():
        if not await _bought(tx, project_id, session_id):
            await tx.execute(_UNDO, {"project": project_id, "session": session_id, "now": now})
    return less


async def is_by_server(tx: AsyncSession, project_id: UUID, session_id: UUID) -> bool:
    """Whether all that is known of a visit is what a server says of an order."""
    values = {"project": project_id, "session": session_id, "order": list(OF_AN_ORDER), "servers": list(TABS)}
    return bool(await tx.scalar(_BY_SERVER, values))


async def _forget(tx: AsyncSession, project_id: UUID, key: str, session_id: UUID, visitor_id: UUID) -> set[UUID]:
    visit = {"project": project_id, "session": session_id, "visitor": visitor_id}
    await tx.execute(_TAKE_BACK, {**visit, "key": key})
    await tx.execute(_FORGET, visit)
    return {visitor_id}


async def _bought(tx: AsyncSession, project_id: UUID, session_id: UUID) -> bool:
    """Whether any order counts in a visit."""
    order = select(Event.id).where(
        Event.project_id == project_id, Event.session_id == session_id, Event.type == "purchased", COUNTS_HERE
    )
    return await tx.scalar(order.limit(1)) is not None
