"""What the page of one visitor shows: the person on all their devices, and the trail of their visits in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Conversion, Delivery
from insights.identity.acquaintance import Acquaintance, Device, RefusedLink, read_acquaintance
from insights.identity.links import Kind
from insights.identity.masks import mask
from insights.identity.trail import (
    Totals,
    Visit,
    Visits,
    read_messages,
    read_orders,
    read_totals,
    read_visits,
)
from insights.models import Event, Segment, SegmentMember, Visitor
from insights.segments.tags import tags_of
from insights.timeline.timeline import TimelineEvent
from insights.viewer.event_words import KEPT_APART, Words, doubts_of, words_of
from insights.viewer.wording import short_id
from insights.vocabulary.page_end import read_page_end

VISITS_A_PAGE: Final = 30
MOST_MOMENTS: Final = 12
MOST_EVENTS: Final = 3_000
MOMENTS: Final = (
    "product_viewed",
    "cart_added",
    "cart_removed",
    "checkout_started",
    "coupon_tried",
    "purchased",
    "refunded",
    "identified",
    "consent_changed",
    "request_failed",
    "rage_click",
    "action_shown",
    "action_clicked",
)
"""What is told of a visit here; its own page tells everything."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something of note in a visit. ``times``: as often in a row."""

    event: TimelineEvent
    words: Words
    times: int = 1


@dataclass(frozen=True, slots=True)
class VisitorRead:
    """Everything that the page needs. ``moments`` are by session, in order; ``further`` counts those left out.
    ``segments``: name, and since when."""

    known: Acquaintance
    totals: Totals
    visits: Visits
    moments: Mapping[UUID, Sequence[Moment]]
    further: Mapping[UUID, int]
    orders: tuple[Conversion, ...]
    messages: tuple[Delivery, ...]
    at_start: bool
    consent: Mapping[str, Any]
    segments: Sequence[tuple[str, datetime]]
    tags: Sequence[str]


async def read_visitor(tx: AsyncSession, project_id: UUID, visitor_id: UUID, after: str) -> VisitorRead:
    """The visitor, and the visits after the place ``after`` (the newest where it is none). Raises NotFound."""
    known = await read_acquaintance(tx, project_id, visitor_id)
    place = read_page_end(after)
    visits = await read_visits(tx, project_id, known.visitors, after=place, limit=VISITS_A_PAGE)
    told = await _moments(tx, project_id, [visit.session.id for visit in visits.visits])
    return VisitorRead(
        known=known,
        totals=await read_totals(tx, project_id, known.visitors),
        visits=visits,
        moments={session_id: moments[:MOST_MOMENTS] for session_id, moments in told.items()},
        further={session_id: len(moments) - MOST_MOMENTS for session_id, moments in told.items()},
        orders=await read_orders(tx, project_id, known.visitors),
        messages=await read_messages(tx, project_id, known.visitors),
        at_start=place is None,
        consent=await _consent(tx, project_id, known.visitors),
        segments=await _segments(tx, project_id, known.visitors),
        tags=await tags_of(tx, project_id, known.visitors),
    )


def visitor_context(read: VisitorRead) -> dict[str, Any]:
    """The variables of the template."""
    names = device_names(read.known.devices)
    older = read.visits.older
    return {
        "read": read,
        "known": read.known,
        "visits": [(visit, names[visit.session.visitor_id], _kind(visit)) for visit in read.visits.visits],
        "device_names": names,
        "describe": describe,
        "sentence": sentence,
        "consent": consent_words(read.consent),
        "title": _title(read.known),
        "older": str(older) if older is not None else None,
    }


def consent_words(consent: Mapping[str, object]) -> list[tuple[str, str]]:
    """What was said of consent, as (name, words)."""
    told = []
    for name in ("analytics", "marketing"):
        if isinstance(consent.get(name), bool):
            told.append((name, "yes" if consent[name] else "no"))
    if isinstance(channels := consent.get("channels"), list) and channels:
        told.append(("channels", ", ".join(str(channel)[:40] for channel in channels[:20])))
    if isinstance(at := consent.get("at"), str):
        told.append(("said at", at[:40]))
    return told


def device_names(devices: Sequence[Device]) -> dict[UUID, str]:
    """Devices by number, in the order in which they were first seen."""
    return {device.visitor_id: f"Device {number}" for number, device in enumerate(devices, 1)}


def describe(device: Device) -> str:
    """What the browser said of itself: window, language, time zone."""
    known = (device.client.get(name) for name in ("viewport", "language", "time_zone"))
    return " · ".join(str(value)[:40] for value in known if value)


def sentence(link: RefusedLink, whole: bool = False) -> str:
    """What a refused link said; names are masked unless they are wanted ``whole``."""
    subject = _end(link.subject_kind, link.subject, whole)
    if link.name_kind == Kind.VISITOR:
        return f"{subject} was said to be the same as {_end(link.name_kind, link.name, whole)}"
    if link.subject_kind == Kind.USER_ID and link.name_kind == Kind.USER_ID:
        return f"{subject} was said to have been {_end(link.name_kind, link.name, whole)} before"
    return f"{subject} was said to go by {_end(link.name_kind, link.name, whole)}"


def _end(kind: str, value: str, whole: bool) -> str:
    if kind == Kind.VISITOR:
        return f"the visitor {short_id(UUID(value))}"
    return {"user_id": "the customer", "email": "the address", "phone": "the number"}[
        kind
    ] + f" {value if whole else mask(kind, value)}"


def _title(known: Acquaintance) -> str:
    for kind in ("email", "user_id", "phone"):
        for name in known.identifiers:
            if name.kind == kind:
                return name.value
    return f"Visitor {short_id(known.visitor_id)}"


def _kind(visit: Visit) -> str | None:
    if visit.insight is not None:
        return visit.insight.kind
    if visit.session.closed_at is None:
        return None
    return "converted" if visit.session.purchased else "abandoned"


async def _consent(tx: AsyncSession, project_id: UUID, visitors: Sequence[UUID]) -> Mapping[str, Any]:
    """The latest consent that the person gave, on whichever device."""
    found = await tx.scalar(
        select(Visitor.consent)
        .where(Visitor.project_id == project_id, Visitor.id.in_(visitors), Visitor.consent != {})
        .order_by(Visitor.consented_at.desc().nulls_last(), Visitor.id)
        .limit(1)
    )
    return found or {}


async def _segments(tx: AsyncSession, project_id: UUID, visitors: Sequence[UUID]) -> list[tuple[str, datetime]]:
    """Those that any of the person's devices was in after its last visit, or was put into."""
    rows = await tx.execute(
        select(Segment.name, func.min(SegmentMember.since))
        .join(
            SegmentMember,
            and_(SegmentMember.project_id == Segment.project_id, SegmentMember.segment_id == Segment.id),
        )
        .where(Segment.project_id == project_id, SegmentMember.visitor_id.in_(visitors))
        .group_by(Segment.name)
        .order_by(Segment.name)
    )
    return [(name, since) for name, since in rows]


async def _moments(tx: AsyncSession, project_id: UUID, sessions: Sequence[UUID]) -> dict[UUID, list[Moment]]:
    rows = await tx.execute(
        select(Event.session_id, Event.id, Event.occurred_at, Event.type, Event.tab, Event.seq, Event.url, Event.props)
        .where(Event.project_id == project_id, Event.session_id.in_(sessions), Event.type.in_(MOMENTS))
        .order_by(Event.session_id.desc(), Event.occurred_at, Event.tab, Event.seq, Event.id)
        .limit(MOST_EVENTS)
    )
    told: dict[UUID, list[Moment]] = {}
    for session_id, *values in rows:
        event = TimelineEvent(*values)
        moments = told.setdefault(session_id, [])
        words = _words(event)
        if moments and moments[-1].words == words:
            moments[-1] = Moment(moments[-1].event, words, moments[-1].times + 1)
        else:
            moments.append(Moment(event, words))
    return told


def _words(event: TimelineEvent) -> Words:
    words = words_of(event)
    if event.type != "identified":
        return words
    values = ((kind, value) for kind in Kind if isinstance(value := event.props.get(kind), str) and value)
    said = (KEPT_APART.get(value) or mask(kind, value) for kind, value in values)
    return Words(words.label, words.icon, " · ".join((*said, *doubts_of(event.props))), words.mark)
