"""Builds a visitor's profile again from the store, with the same fold, for a process that does not know them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Conversion
from insights.events.orders import HAS_NO_VISIT
from insights.identity.contact import Contact, read_contact
from insights.identity.together import person_id_of, person_of
from insights.models import Decision, Event, Session
from insights.profiles.fold import fold
from insights.profiles.marks import read_marks
from insights.profiles.pages import event_path
from insights.profiles.profile import ACTION_BIT, MOST_SESSIONS, Profile
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

MOST_EVENTS: Final = 5_000
"""Past this many the oldest are left out: a request is waiting for the answer."""


async def rebuild(
    tx: AsyncSession, project_id: UUID, visitor_id: UUID, *, limit_sessions: int = MOST_SESSIONS
) -> Profile:
    """The profile of what is stored of a visitor: the events of the last ``limit_sessions`` sessions in order.

    Visits of the same person on other devices are earlier visits. Older ones still count as visits and orders, and so
    do those that began elsewhere after this visitor's latest. Orders of no visit count as orders. A visitor who is not
    in the store gets an empty profile.
    """
    profile = Profile()
    person = await person_of(tx, project_id, visitor_id)
    theirs = (Session.project_id == project_id, Session.visitor_id.in_(person))
    latest: UUID | None = None
    if len(person) > 1:
        profile.person = (await person_id_of(tx, project_id, visitor_id)).bytes
        latest = await _latest_session(tx, project_id, visitor_id)
    so_far = theirs if latest is None else (*theirs, Session.id <= latest)
    recent = (
        await tx.scalars(select(Session.id).where(*so_far).order_by(Session.id.desc()).limit(limit_sessions))
    ).all()
    if recent:
        await _add_recent(tx, profile, project_id, person, recent)
    if len(recent) == limit_sessions:
        visits, orders = (
            await tx.execute(
                select(func.count(), func.count().filter(Session.purchased.is_(True))).where(
                    *theirs, Session.id < recent[-1]
                )
            )
        ).one()
        profile.sessions += visits
        profile.purchases += orders
    if latest is not None:
        await _add_later_elsewhere(tx, profile, project_id, person, latest)
    profile.purchases += sum((await orders_without_visit(tx, project_id, person)).values())
    add_what_was_said(profile, await read_contact(tx, project_id, visitor_id, person), several_devices=len(person) > 1)
    profile.tags, profile.segments, profile.kept = await read_marks(tx, project_id, person)
    return profile


async def _add_recent(
    tx: AsyncSession, profile: Profile, project_id: UUID, person: Sequence[UUID], recent: Sequence[UUID]
) -> None:
    events = (
        await tx.execute(
            select(
                Event.session_id, Event.occurred_at, Event.tab, Event.seq, Event.id, Event.type, Event.url, Event.props
            )
            .where(Event.project_id == project_id, Event.session_id.in_(recent), Event.visitor_id.in_(person))
            .order_by(Event.session_id.desc(), Event.occurred_at.desc())
            .limit(MOST_EVENTS)
        )
    ).all()
    # A batch that is sent again is decided on again.
    decided: dict[UUID, list[Any]] = {}
    for row in await tx.execute(
        select(
            Decision.event_id,
            Decision.decided_at,
            Decision.action,
            Decision.stage,
            Decision.probabilities,
            Decision.held_back,
        )
        .where(
            Decision.project_id == project_id,
            Decision.visitor_id.in_(person),
            Decision.session_id.in_(recent),
        )
        .order_by(Decision.decided_at, Decision.id)
    ):
        decided.setdefault(row.event_id, []).append(row)
    fold_stored(profile, events, decided)


def fold_stored(profile: Profile, events: Iterable[Any], decided: Mapping[UUID, Iterable[Any]]) -> None:
    """Folds rows of events in their order, and marks after each what was decided then (event id → rows)."""
    for event in sorted(events, key=lambda row: (row.session_id, row.occurred_at, row.tab, row.seq, row.id)):
        fold(
            profile,
            event_id=event.id,
            session_id=event.session_id,
            at_ms=_milliseconds(event.occurred_at),
            type=event.type,
            path=event_path(event.type, event.url, event.props.get("path")),
            props=event.props,
        )
        for decision in decided.get(event.id, ()):
            _mark(profile, decision, _milliseconds(decision.decided_at))


async def _latest_session(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> UUID | None:
    return await tx.scalar(
        select(Session.id)
        .where(Session.project_id == project_id, Session.visitor_id == visitor_id)
        .order_by(Session.id.desc())
        .limit(1)
    )


async def _add_later_elsewhere(
    tx: AsyncSession, profile: Profile, project_id: UUID, person: tuple[UUID, ...], latest: UUID
) -> None:
    """What began on another device after this visitor's own latest session: that one stays the current one."""
    later = (
        await tx.scalars(
            select(Session.id).where(
                Session.project_id == project_id, Session.visitor_id.in_(person), Session.id > latest
            )
        )
    ).all()
    if later:
        profile.sessions += len(later)
        # Counted in events: an open session has no summary yet, and who has just bought elsewhere is a customer here.
        profile.purchases += (
            await tx.scalar(
                select(func.count(Event.props["order_id"].astext.distinct())).where(
                    Event.project_id == project_id, Event.session_id.in_(later), Event.type == "purchased"
                )
            )
        ) or 0


async def orders_without_visit(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> dict[UUID, int]:
    """Visitor → how many orders of theirs were placed in no visit; who has none is not in it."""
    rows = await tx.execute(
        select(Conversion.visitor_id, func.count())
        .where(Conversion.project_id == project_id, Conversion.visitor_id.in_(visitors), HAS_NO_VISIT)
        .group_by(Conversion.visitor_id)
    )
    return {row[0]: row[1] for row in rows}


def add_what_was_said(profile: Profile, visitor: Contact | None, *, several_devices: bool) -> None:
    """Adds what they said, perhaps before the sessions that were read, or through another door than an event."""
    if visitor is None:
        return
    profile.has_email = profile.has_email or "@" in (visitor.email or "")
    for name in ("analytics", "marketing"):
        given = visitor.consent.get(name)
        # Of the person on all devices the last word counts, which the events here need not hold.
        elsewhere = several_devices and name == "marketing"
        if (getattr(profile, name) is None or elsewhere) and isinstance(given, bool):
            setattr(profile, name, given)


def _mark(profile: Profile, decision: Any, at_ms: int) -> None:
    probabilities: dict[str, float] = decision.probabilities
    try:
        chosen, then = LiveAction(decision.action), Stage(decision.stage)
    except ValueError:
        # Written by a version that knew other words.
        return
    profile.stage = then
    if chosen is LiveAction.DO_NOTHING:
        others = {bit: probabilities.get(known) for known, bit in ACTION_BIT.items() if known is not chosen}
        passed_over = sum(bit for bit, chance in others.items() if chance is not None)
        drawn_from = sum(bit for action, bit in ACTION_BIT.items() if action is not chosen and _open(decision, action))
        profile.mark_quiet(passed_over, drawn_from, at_ms, then)
    else:
        profile.mark_served(chosen, at_ms, then)


def _open(decision: Any, action: LiveAction) -> bool:
    return bool(decision.probabilities.get(action)) or decision.held_back == action


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
