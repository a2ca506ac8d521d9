"""Builds the profiles of many visitors at once, each exactly as ``rebuild`` would, in a few statements for all.

Who has an unusual history (several devices, many visits, very many events) is built alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.identity.contact import contact
from insights.models import Decision, Event, Session, Visitor
from insights.profiles.marks import Marks, read_marks_of
from insights.profiles.profile import MOST_SESSIONS, Profile
from insights.profiles.rebuild import MOST_EVENTS, add_what_was_said, fold_stored, orders_without_visit, rebuild

MOST_AT_ONCE: Final = 20_000
"""Events held in memory for one call; more, and every visitor is built alone."""


async def rebuild_many(
    tx: AsyncSession, project_id: UUID, people: Mapping[UUID, Collection[UUID]]
) -> dict[UUID, Profile]:
    """Visitor → profile. ``people``: the visitors asked for, each with all visitors of their person."""
    alone = [visitor_id for visitor_id, person in people.items() if len(person) == 1]
    sessions = await _sessions(tx, project_id, alone)
    usual = {visitor_id: sessions.get(visitor_id, []) for visitor_id in alone}
    usual = {visitor_id: own for visitor_id, own in usual.items() if len(own) < MOST_SESSIONS}
    found = await _build(tx, project_id, usual)
    for visitor_id in people.keys() - found.keys():
        found[visitor_id] = await rebuild(tx, project_id, visitor_id)
    return found


async def _sessions(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> dict[UUID, list[UUID]]:
    place = func.row_number().over(partition_by=Session.visitor_id, order_by=Session.id.desc()).label("place")
    ranked = (
        select(Session.visitor_id, Session.id, place)
        .where(Session.project_id == project_id, Session.visitor_id.in_(visitors))
        .subquery()
    )
    found: dict[UUID, list[UUID]] = {}
    for visitor_id, session_id in await tx.execute(
        select(ranked.c.visitor_id, ranked.c.id).where(ranked.c.place <= MOST_SESSIONS)
    ):
        found.setdefault(visitor_id, []).append(session_id)
    return found


async def _build(tx: AsyncSession, project_id: UUID, usual: Mapping[UUID, list[UUID]]) -> dict[UUID, Profile]:
    wanted = [session_id for own in usual.values() for session_id in own]
    profiles = {visitor_id: Profile() for visitor_id in usual}
    rows = (
        await tx.execute(
            select(
                Event.visitor_id,
                Event.session_id,
                Event.occurred_at,
                Event.tab,
                Event.seq,
                Event.id,
                Event.type,
                Event.url,
                Event.props,
            )
            .where(Event.project_id == project_id, Event.session_id.in_(wanted))
            .limit(MOST_AT_ONCE + 1)
        )
    ).all()
    if len(rows) > MOST_AT_ONCE:
        return {}
    events: dict[UUID, list[Any]] = {}
    own_sessions = {(visitor_id, session_id) for visitor_id, own in usual.items() for session_id in own}
    for row in rows:
        if (row.visitor_id, row.session_id) in own_sessions:
            events.setdefault(row.visitor_id, []).append(row)
    decided: dict[UUID, dict[UUID, list[Any]]] = {}
    for row in await tx.execute(
        select(
            Decision.visitor_id,
            Decision.event_id,
            Decision.decided_at,
            Decision.action,
            Decision.stage,
            Decision.probabilities,
            Decision.held_back,
        )
        .where(
            Decision.project_id == project_id,
            Decision.visitor_id.in_(list(usual)),
            Decision.session_id.in_(wanted),
        )
        .order_by(Decision.decided_at, Decision.id)
    ):
        decided.setdefault(row.visitor_id, {}).setdefault(row.event_id, []).append(row)
    visitors = {
        visitor.id: visitor
        for visitor in await tx.scalars(
            select(Visitor).where(Visitor.project_id == project_id, Visitor.id.in_(list(usual)))
        )
    }
    marks = await read_marks_of(tx, project_id, list(usual))
    without_visit = await orders_without_visit(tx, project_id, list(usual))
    for visitor_id in usual:
        # Others' requests go on in between.
        await asyncio.sleep(0)
        theirs = events.get(visitor_id, [])
        if len(theirs) > MOST_EVENTS:
            del profiles[visitor_id]
        else:
            profile = profiles[visitor_id]
            fold_stored(profile, theirs, decided.get(visitor_id, {}))
            profile.purchases += without_visit.get(visitor_id, 0)
            said = contact(visitor_id, [visitors[visitor_id]]) if visitor_id in visitors else None
            add_what_was_said(profile, said, several_devices=False)
            profile.tags, profile.segments, profile.kept = marks.get(visitor_id, Marks())
    return profiles
