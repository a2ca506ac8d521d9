"""Collects rewards: for the visits that ended since, and for the orders that were given back since.

Everything is worked out again from what is stored, so late, duplicate and taken-back outcomes change a reward and
never count twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Conversion
from insights.decisions.outcomes import Outcome, outcome_of
from insights.decisions.situation import VERSION
from insights.events.orders import HAS_NO_VISIT
from insights.learning.discounts import paid_since, percents_of
from insights.learning.rewards import WINDOW, GivenBack, Order, Unit, refund_of, reward_of
from insights.learning.snapshots import remembered_since
from insights.models import Decision, Event, PolicyBucket, Reward, Session, Shop
from insights.policies.memory import BUCKET
from insights.timeline.read import read_timelines
from insights.vocabulary.actions import LiveAction

OVERLAP: Final = timedelta(minutes=10)
"""How far before the last look to look again: what was committed late has an earlier time."""
AT_ONCE: Final = 500
"""Visits in one transaction."""


Place = tuple[datetime, UUID]
"""Where a look has come to: when the last visit ended, and its id."""


@dataclass(frozen=True, slots=True)
class Collected:
    """``changed`` rewards; ``last``: where to go on, None when all that ended has been seen."""

    changed: int
    last: Place | None


async def unit_of(tx: AsyncSession, project_id: UUID) -> Unit:
    """What the rewards of a project are counted in."""
    shop = await tx.scalar(select(Shop).where(Shop.project_id == project_id))
    if shop is None or shop.margin_rate is None or shop.currency is None:
        return Unit()
    return Unit(shop.margin_rate, shop.currency)


async def collect(
    tx: AsyncSession, project_id: UUID, since: datetime | None, after: Place | None, now: datetime
) -> Collected:
    """Brings the rewards up to date with what happened after ``since``: all refunds, all orders of no visit, all codes
    redeemed, and the next ``AT_ONCE`` visits.

    ``after``: where the look before came to; None for the first, which sees to all but the visits.
    """
    look_back = None if since is None else since - OVERLAP
    ended = select(Session.id, Session.visitor_id, Session.started_at, Session.closed_at).where(
        Session.project_id == project_id, Session.closed_at.is_not(None)
    )
    if after is not None:
        ended = ended.where(tuple_(Session.closed_at, Session.id) > tuple_(*after))
    elif look_back is not None:
        ended = ended.where(Session.closed_at > look_back)
    visits = (await tx.execute(ended.order_by(Session.closed_at, Session.id).limit(AT_ONCE))).all()
    decisions = await _decisions_of_visits(tx, project_id, visits)
    if after is None:
        decisions |= await _decisions_of_refunds(tx, project_id, look_back)
        decisions |= await _decisions_of_orders(tx, project_id, look_back)
        decisions |= await _decisions_of_codes(tx, project_id, look_back)
    changed = await _count(tx, project_id, decisions, now)
    return Collected(changed, (visits[-1].closed_at, visits[-1].id) if len(visits) == AT_ONCE else None)


async def _decisions_of_visits(tx: AsyncSession, project_id: UUID, visits: Sequence[Any]) -> set[UUID]:
    """The decisions made in these visits, and those made before an order in one of them could count for."""
    if not visits:
        return set()
    sessions = [visit.id for visit in visits]
    visitors = {visit.visitor_id for visit in visits}
    earliest = min(visit.started_at for visit in visits) - WINDOW
    theirs = select(Decision.id).where(Decision.project_id == project_id)
    made = await tx.scalars(theirs.where(Decision.session_id.in_(sessions)))
    before = await tx.scalars(
        theirs.where(
            Decision.visitor_id.in_(
                select(Conversion.visitor_id).where(
                    Conversion.project_id == project_id,
                    Conversion.visitor_id.in_(visitors),
                    Conversion.occurred_at >= earliest,
                )
            ),
            Decision.decided_at >= earliest,
        )
    )
    return {*made, *before}


def _before_orders(project_id: UUID) -> Select[UUID]:
    """The decisions that orders could count for; which orders is left to say."""
    return (
        select(Decision.id)
        .join(
            Conversion,
            (Conversion.project_id == Decision.project_id) & (Conversion.visitor_id == Decision.visitor_id),
        )
        .where(
            Decision.project_id == project_id,
            Decision.decided_at < Conversion.occurred_at,
            Decision.decided_at >= Conversion.occurred_at - WINDOW,
        )
    )


async def _decisions_of_orders(tx: AsyncSession, project_id: UUID, since: datetime | None) -> set[UUID]:
    """Of orders that no visit ends with, so that none tells of them. A server may tell of one hours later."""
    orders = HAS_NO_VISIT if since is None else and_(HAS_NO_VISIT, Conversion.occurred_at > since - WINDOW)
    return set(await tx.scalars(_before_orders(project_id).where(orders)))


async def _decisions_of_refunds(tx: AsyncSession, project_id: UUID, since: datetime | None) -> set[UUID]:
    told = select(Event.props["order_id"].astext).where(Event.project_id == project_id, Event.type == "refunded")
    if since is not None:
        told = told.where(Event.received_at > since)
    keys = set(await tx.scalars(told))
    if not keys:
        return set()
    return set(await tx.scalars(_before_orders(project_id).where(Conversion.key.in_(keys))))


async def _decisions_of_codes(tx: AsyncSession, project_id: UUID, since: datetime | None) -> set[UUID]:
    """Of orders that a code paid which was redeemed after them: the visit may have been counted by then."""
    keys = await paid_since(tx, project_id, since) if since is not None else set()
    return set(await tx.scalars(_before_orders(project_id).where(Conversion.key.in_(keys)))) if keys else set()


async def _count(tx: AsyncSession, project_id: UUID, ids: Collection[UUID], now: datetime) -> int:
    """Works out the rewards of these decisions and writes those that differ from what is stored."""
    if not ids:
        return 0
    worked_out = await _worked_out(tx, project_id, ids)
    stored = {
        row.decision_id: row
        for row in await tx.scalars(select(Reward).where(Reward.project_id == project_id, Reward.decision_id.in_(ids)))
    }
    forgotten = await remembered_since(tx, project_id)
    fresh, gone, dirty = [], [], set()
    changed = 0
    for decision, earned in worked_out:
        known = stored.get(decision.id)
        if known is None and forgotten is not None and decision.decided_at <= forgotten:
            # What was forgotten is no news: among the newest it would push out what is.
            continue
        if earned is None:
            if known is not None:
                gone.append(decision.id)
                dirty.add(known.bucket)
            continue
        value, outcome = earned[0], earned[1].value
        if known is None:
            fresh.append((decision, value, outcome))
        elif known.value != value or known.outcome != outcome:
            known.value, known.outcome, known.counted_at = value, outcome, now
            dirty.add(known.bucket)
            changed += 1
    if gone:
        await tx.execute(delete(Reward).where(Reward.project_id == project_id, Reward.decision_id.in_(gone)))
    await tx.flush()
    dirty |= await _add(tx, project_id, fresh, now)
    if dirty:
        await tx.execute(
            update(PolicyBucket)
            .where(PolicyBucket.project_id == project_id, PolicyBucket.number.in_(dirty))
            .values(sums=None)
        )
    return changed + len(fresh) + len(gone)


async def _worked_out(
    tx: AsyncSession, project_id: UUID, ids: Collection[UUID]
) -> list[tuple[Decision, tuple[float, Outcome] | None]]:
    """Those of these decisions whose visits are over, the oldest first, with their reward and what came of them; None:
    nothing is to be learned from it."""
    decisions = (
        await tx.scalars(
            select(Decision)
            .join(Session, (Session.project_id == Decision.project_id) & (Session.id == Decision.session_id))
            # While a visit goes on, nobody knows yet how it ends.
            .where(Decision.project_id == project_id, Decision.id.in_(ids), Session.closed_at.is_not(None))
            .where(Decision.situation_version == VERSION)
            .order_by(Decision.decided_at, Decision.id)
        )
    ).all()
    timelines = await read_timelines(tx, project_id, {decision.session_id for decision in decisions})
    orders = await _orders(tx, project_id, {decision.visitor_id for decision in decisions})
    refunds = await _refunds(tx, project_id, [order.key for each in orders.values() for order in each])
    unit = await unit_of(tx, project_id)
    percents: dict[str, int] = {}
    if decisions and unit.margin_rate is not None:
        percents = await percents_of(tx, project_id, decisions[0].decided_at, decisions[-1].decided_at + WINDOW)
    found: list[tuple[Decision, tuple[float, Outcome] | None]] = []
    for decision in decisions:
        timeline = timelines.get(decision.session_id)
        if timeline is None:
            continue
        action = LiveAction(decision.action)
        outcome = outcome_of(timeline, decision_id=decision.id, event_id=decision.event_id, action=action, closed=True)
        theirs = orders.get(decision.visitor_id, ())
        value = reward_of(decision.decided_at, action, outcome, theirs, refunds, unit, percents)
        found.append((decision, None if value is None else (value, outcome or _unseen(value))))
    return found


def _unseen(value: float) -> Outcome:
    """Doing nothing that ended in nothing worth a word."""
    return Outcome.CONVERTED if value else Outcome.IGNORED


async def _add(
    tx: AsyncSession, project_id: UUID, fresh: Sequence[tuple[Decision, float, str]], now: datetime
) -> set[int]:
    """Puts new rewards into the bucket that is not full yet, and into further ones. Returns the buckets touched."""
    if not fresh:
        return set()
    last = (
        await tx.execute(
            select(PolicyBucket.number, func.count(Reward.decision_id))
            .outerjoin(Reward, (Reward.project_id == PolicyBucket.project_id) & (Reward.bucket == PolicyBucket.number))
            .where(PolicyBucket.project_id == project_id)
            .group_by(PolicyBucket.number)
            .order_by(PolicyBucket.number.desc())
            .limit(1)
        )
    ).first()
    number, held = (0, BUCKET) if last is None else (last[0], last[1])
    touched = set()
    rows = []
    for decision, value, outcome in fresh:
        if held >= BUCKET:
            number, held = number + 1, 0
        held += 1
        touched.add(number)
        rows.append(
            {
                "project_id": project_id,
                "decision_id": decision.id,
                "decided_at": decision.decided_at,
                "bucket": number,
                "action": decision.action,
                "value": value,
                "outcome": outcome,
                "counted_at": now,
            }
        )
    await tx.execute(insert(Reward), rows)
    buckets = [
        {"project_id": project_id, "number": each, "situation_version": VERSION, "outcomes": 0} for each in touched
    ]
    await tx.execute(insert(PolicyBucket).on_conflict_do_nothing(), buckets)
    return touched


async def _orders(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> dict[UUID, list[Order]]:
    orders: dict[UUID, list[Order]] = defaultdict(list)
    rows = await tx.execute(
        select(
            Conversion.visitor_id, Conversion.key, Conversion.occurred_at, Conversion.value_minor, Conversion.currency
        ).where(Conversion.project_id == project_id, Conversion.visitor_id.in_(visitors))
    )
    for row in rows:
        orders[row.visitor_id].append(Order(row.key, row.occurred_at, row.value_minor, row.currency))
    return orders


async def _refunds(tx: AsyncSession, project_id: UUID, keys: Collection[str]) -> dict[str, list[GivenBack]]:
    refunds: dict[str, list[GivenBack]] = defaultdict(list)
    if not keys:
        return refunds
    rows = await tx.execute(
        select(Event.id, Event.props).where(
            Event.project_id == project_id, Event.type == "refunded", Event.props["order_id"].astext.in_(keys)
        )
    )
    for row in rows:
        if (refund := refund_of(row.props, str(row.id))) is not None:
            refunds[refund.order_key].append(refund)
    return refunds
