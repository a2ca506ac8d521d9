"""What a flush says of people: who is one person by its identifications, and what its orders end on their devices."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from flows.joining import join_runs
from flows.triggers import record_conversion
from insights.events.order_claims import Claim, keep_claims
from insights.events.orders import Told, count_once
from insights.events.wire import WireEvent
from insights.identity.links import link_of_visitors, links_said
from insights.identity.stitch import Stitched, stitch
from insights.identity.together import hold_people, person_of
from insights.models import KeptOffer
from insights.vocabulary.ids import ms_to_datetime
from insights.vocabulary.session_group import session_group

_OUTDATE = text("""
UPDATE visitor SET version = version + 1 WHERE project_id = :project AND id IN (
    SELECT id FROM visitor WHERE project_id = :project AND id = ANY(:visitors) ORDER BY id FOR UPDATE)
""")

# Nothing is waited for: a session whose row is held is being written, and looked at again for that.
_LOOK_AGAIN = text("""
UPDATE session SET close_at = :now WHERE project_id = :project AND id IN (
    SELECT id FROM session
    WHERE project_id = :project AND visitor_id = ANY(:visitors) AND closed_at IS NOT NULL AND close_at IS NULL
    ORDER BY id DESC LIMIT :most FOR UPDATE SKIP LOCKED)
""")
MOST_LOOKED_AT: Final = 500
"""Sessions that are looked at again when people are joined or parted, the latest first."""


@dataclass(frozen=True, slots=True)
class Said:
    """One new event of a flush, whose it is, and when it arrived. ``behind_ms``: how far the visitor's clock is behind
    ours, as far as it was told. ``by_server``: who told it proved to be the shop's server."""

    visitor_id: UUID
    session_id: UUID
    event: WireEvent
    received_at: datetime
    behind_ms: int = 0
    by_server: bool = False

    @property
    def at(self) -> datetime:
        return ms_to_datetime(int(self.event.t))

    @property
    def by_our_clock(self) -> datetime:
        """An order by a clock that is behind would lie before what was shown or sent to its buyer, by our clock."""
        return ms_to_datetime(int(self.event.t) + max(0, self.behind_ms))


async def write_people(tx: AsyncSession, project_id: UUID, said: Iterable[Said]) -> frozenset[UUID]:
    """Links, then orders. Returns the visitors whose profiles lack something now: those whose person changed, and those
    whose person bought on another device.

    Called last in a transaction: its locks are waited for by other processes.
    """
    said = list(said)
    links = [
        link
        for one in said
        if one.event.type == "identified"
        for link in links_said(
            one.visitor_id, one.event.props, at=one.at, event_id=one.event.id, session_id=one.session_id
        )
    ]
    orders = [one for one in said if one.event.type == "purchased"]
    stitched = await stitch(tx, project_id, links) if links else Stitched()
    buyers = {one.visitor_id for one in orders}
    together = await hold_people(tx, project_id, buyers | stitched.changed) if buyers or stitched.changed else {}
    affected = set(stitched.changed)
    for one in orders:
        same_person = together[one.visitor_id]
        await record_conversion(
            tx,
            project_id,
            one.visitor_id,
            key=str(one.event.props["order_id"]),
            occurred_at=one.by_our_clock,
            value_minor=one.event.props.get("value_minor"),
            currency=one.event.props.get("currency"),
            now=one.received_at,
            same_person=same_person,
            group=session_group(one.session_id),
            session_id=one.session_id,
            by_server=one.by_server,
        )
        affected.update(visitor for visitor in same_person if visitor != one.visitor_id)
    if orders:
        claims = [
            Claim(str(one.event.props["order_id"]), one.visitor_id, one.session_id, one.received_at)
            for one in orders
            if not one.by_server
        ]
        await keep_claims(tx, project_id, claims)
        told = [Told(str(one.event.props["order_id"]), one.session_id, one.visitor_id) for one in orders]
        affected |= await count_once(tx, project_id, told, max(one.received_at for one in orders))
        # What was kept for their next visit was meant to make them buy.
        bought = {visitor for buyer in buyers for visitor in together[buyer]}
        await tx.execute(delete(KeptOffer).where(KeptOffer.project_id == project_id, KeptOffer.visitor_id.in_(bought)))
    if stitched.changed:
        now = max(one.received_at for one in said)
        await _carry_through(tx, project_id, stitched, now)
    return frozenset(affected)


async def _carry_through(tx: AsyncSession, project_id: UUID, stitched: Stitched, now: datetime) -> None:
    """What follows from other people: their runs are one person's, and so are the visits before each visit."""
    for group in stitched.joined:
        await join_runs(tx, project_id, group, now)
    visitors = list(stitched.changed)
    await tx.execute(_LOOK_AGAIN, {"project": project_id, "visitors": visitors, "now": now, "most": MOST_LOOKED_AT})


async def same_visitor(
    database: Database, project_id: UUID, one: UUID, other: UUID, *, at: datetime, event_id: UUID, now: datetime
) -> bool:
    """Says that two visitor ids are one person, where no identification can say it; whether they are one then.

    Refused where they are two customers. Saying it again changes nothing. ``at`` is when it was said, by ``event_id``.
    """
    if one == other:
        return True
    async with database.transaction(project_id) as tx:
        stitched = await stitch(tx, project_id, [link_of_visitors(one, other, at=at, event_id=event_id)])
        if stitched.changed:
            await hold_people(tx, project_id, stitched.changed)
            await _carry_through(tx, project_id, stitched, now)
        together = other in await person_of(tx, project_id, one)
    if stitched.changed:
        async with database.transaction(project_id) as tx:
            await outdate(tx, project_id, stitched.changed)
    return together


async def outdate(tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID]) -> None:
    """Makes every copy of these visitors' profiles, wherever it is, one that lacks something (``events/claims``)."""
    await tx.execute(_OUTDATE, {"project": project_id, "visitors": list(visitor_ids)})
