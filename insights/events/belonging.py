"""Finds the visit in which an order was placed that a server tells of: by the order's number, else by who bought.

A server knows the order and the customer, and seldom the visit or the device. Left to itself such an order would open a
visit of its own that bought, beside the one that it was placed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.triggers import are_in_runs, record_conversion
from insights.events.attach import visitor_id
from insights.events.dialects.translation import Who
from insights.events.order_claims import AFTER, BEFORE, believed
from insights.events.orders import Placed, confirm, is_by_server, placed
from insights.identity.named import visitors_named
from insights.identity.together import visitors_together
from insights.models import Event, Session, Visitor
from insights.vocabulary.ids import ms_to_datetime, uuid7_from_key


@dataclass(frozen=True, slots=True)
class ToldOrder:
    """An order of a message. ``visitor_id``: who it is about by its own ids; ``session`` as the sender names it;
    ``elsewhere``: in no visit, as the sender says."""

    event_id: UUID
    key: str
    at_ms: int
    received_ms: int
    visitor_id: UUID
    who: Who
    session: str | None
    trusted: bool
    value_minor: int | None
    currency: str | None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Where an order belongs. ``session_id`` None: in the visitor's nearest visit. ``known``: it is told already, and
    what it came to."""

    visitor_id: UUID
    session_id: UUID | None
    known: bool = False


async def homes_of(
    tx: AsyncSession, project_id: UUID, orders: Collection[ToldOrder], *, gap_ms: int
) -> dict[UUID, Home]:
    """The homes of those orders that have another than their message says, by their events' ids. A server that proves
    itself confirms what a page told of its order, where the page is believed."""
    if not orders:
        return {}
    stored = {order.key: order for order in await placed(tx, project_id, {order.key for order in orders})}
    homes: dict[UUID, Home] = {}
    for order in sorted(orders, key=lambda one: one.key):
        before = stored.get(order.key)
        if before is not None and order.trusted and not before.by_server:
            before = await _as_claimed(tx, project_id, order, before)
        if before is not None:
            if not await _tells_its_visit(tx, project_id, order, before, gap_ms):
                homes[order.event_id] = Home(before.visitor_id, before.session_id, before.worth_known)
            if not order.trusted:
                await _end_runs(tx, project_id, order)
        elif order.elsewhere:
            # Whoever pays at the till may have looked at the shop on the way there.
            homes[order.event_id] = Home(order.visitor_id, uuid7_from_key(order.at_ms, f"order/{order.key}"))
        elif order.session is None and order.who.visitor is None:
            own = [order.visitor_id] if order.who.anonymous_id is not None else []
            if own and await _nearest(tx, project_id, own, order.at_ms, gap_ms) is not None:
                # Their device is told, and is here.
                continue
            theirs = await _devices(tx, project_id, order)
            if theirs and (found := await _nearest(tx, project_id, theirs, order.at_ms, gap_ms)) is not None:
                homes[order.event_id] = found
    return homes


async def _tells_its_visit(tx: AsyncSession, project_id: UUID, order: ToldOrder, before: Placed, gap_ms: int) -> bool:
    """Whether an order that is in no visit so far is told by a device that is in one, at its time: it is told there, as
    by a page, and counts there if that is believed (``count_once``). Also by the first device of its customer, whose
    visit may only be told later."""
    if order.elsewhere or before.session_id is None or (order.who.visitor or order.who.anonymous_id) is None:
        return False
    # Whoever proves nothing may say any time.
    told_at = ms_to_datetime(order.at_ms if order.trusted else order.received_ms)
    if not before.at - BEFORE <= told_at <= before.at + AFTER:
        return False
    if not await is_by_server(tx, project_id, before.session_id):
        return False
    visit = await _nearest(tx, project_id, [order.visitor_id], order.at_ms, gap_ms)
    if visit is None or visit.session_id is None:
        return await _is_of_no_device(tx, project_id, before.session_id, order.who)
    return not await is_by_server(tx, project_id, visit.session_id)


async def _is_of_no_device(tx: AsyncSession, project_id: UUID, session_id: UUID, who: Who) -> bool:
    """Whether a session is no device's: it is of one of these names alone."""
    names = [Who(user_id=who.user_id), Who(email=who.email), Who(phone=who.phone)]
    named = [visitor_id(project_id, name) for name in names if name != Who()]
    told = select(Event.id).where(
        Event.project_id == project_id, Event.session_id == session_id, Event.visitor_id.in_(named)
    )
    return await tx.scalar(told.limit(1)) is not None


async def _as_claimed(tx: AsyncSession, project_id: UUID, order: ToldOrder, before: Placed) -> Placed | None:
    """An order that only pages told of, as the one that is believed says; None: none is."""
    customer = {order.visitor_id, *await _devices(tx, project_id, order)}
    claim = await believed(tx, project_id, order.key, order.at_ms, customer)
    if claim is None or (claim.visitor_id not in customer and await _names_a_visitor(tx, project_id, order)):
        return None
    if claim.visitor_id != before.visitor_id:
        # Stored as told by somebody else, who is outranked once the server's event is.
        return replace(before, visitor_id=claim.visitor_id, session_id=claim.session_id, worth_known=False)
    await confirm(tx, project_id, order.key, order.value_minor, order.currency)
    return before


async def _names_a_visitor(tx: AsyncSession, project_id: UUID, order: ToldOrder) -> bool:
    if order.who.visitor is not None or order.who.anonymous_id is None:
        return order.who.visitor is not None
    return await tx.get(Visitor, (project_id, order.visitor_id)) is not None


async def _devices(tx: AsyncSession, project_id: UUID, order: ToldOrder) -> set[UUID]:
    """All visitors of the customer. An address or a number is believed of a server that proves itself."""
    email, phone = (order.who.email, order.who.phone) if order.trusted else (None, None)
    named = await visitors_named(tx, project_id, user_id=order.who.user_id, email=email, phone=phone)
    together = await visitors_together(tx, project_id, named)
    return {visitor for group in together.values() for visitor in group}


async def _nearest(
    tx: AsyncSession, project_id: UUID, visitors: Iterable[UUID], at_ms: int, gap_ms: int
) -> Home | None:
    """The visit of one of these visitors that was going on then, or no further away than a silence that ends one."""
    at, gap = ms_to_datetime(at_ms), timedelta(milliseconds=gap_ms)
    silence = func.greatest(Session.started_at - at, at - Session.last_event_at, timedelta(0))
    row = (
        await tx.execute(
            select(Session.visitor_id, Session.id)
            .where(
                Session.project_id == project_id,
                Session.visitor_id.in_(sorted(visitors)),
                Session.started_at <= at + gap,
                Session.last_event_at >= at - gap,
            )
            .order_by(silence, Session.started_at, Session.id)
            .limit(1)
        )
    ).one_or_none()
    return Home(row.visitor_id, row.id) if row is not None else None


async def _end_runs(tx: AsyncSession, project_id: UUID, order: ToldOrder) -> None:
    """Whoever the public key says bought is written to no more, as ever; that they are the order's visitor is not
    believed: numbers of orders can be guessed, and mails would go to whoever did."""
    devices = await _devices(tx, project_id, order)
    # Asked first: an import of thousands of orders must not hold as many visitors.
    if devices and await are_in_runs(tx, project_id, devices):
        await record_conversion(
            tx,
            project_id,
            min(devices),
            key=order.key,
            occurred_at=ms_to_datetime(order.at_ms),
            value_minor=None,
            currency=None,
            now=ms_to_datetime(order.received_ms),
            same_person=devices,
        )
