"""Decides what of a flush's events is written: the rows of the timeline, and what they say of each visit and visitor.

Nothing is in them that the timeline does not keep (``events/kept``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
from msgspec import Struct

from adapters.postgres.arrays import (
    bigint_pieces,
    double_piece,
    double_pieces,
    known_text_piece,
    text_piece,
    uuid_piece,
    uuid_pieces,
)
from insights.events.aside import is_aside
from insights.events.entry import Columns, Entry, Part
from insights.events.kept import kept_props, kept_url, may_hold_secrets, only_allowed
from insights.events.wire import WireEvent
from insights.vocabulary.events import AFTERWARDS
from insights.vocabulary.ids import IdNumber

Key = tuple[UUID, UUID]
"""What an event is known by within its project: its session and its id."""


class Visit(Struct, gc=False):
    """What new events say of their session, as ``flush.TOUCH`` takes it."""

    id: UUID
    visitor_id: UUID
    started: int
    last: int
    received: int
    ended: int | None = None
    purchased: bool | None = None
    aside: bool = False


class Seen(Struct, gc=False):
    """What new events say of a visitor, as ``flush.TOUCH`` takes it."""

    id: UUID
    first: int
    events: int = 0


@dataclass(slots=True)
class Rows:
    """The rows of one flush. ``new``: the keys of those that are written; None when that is all of them.

    ``parts``: the events, as each entry has them. ``types``: which types are among them.
    """

    new: set[Key] | None = None
    parts: list[Part] = field(default_factory=list)
    types: set[str] = field(default_factory=set)
    visits: dict[IdNumber, Visit] = field(default_factory=dict)
    visitors: dict[IdNumber, Seen] = field(default_factory=dict)


def rows_of(entries: Iterable[Entry], stored: Collection[Key] | None) -> Rows:
    """The entries' events but those in ``stored``, each once. None: nobody has looked; all of them are taken as new."""
    rows = Rows(None if stored is None else set())
    for entry in entries:
        events, types, part = entry.events, entry.types, entry.part
        if rows.new is not None and stored is not None:
            events = _without(entry, stored, rows.new)
            if len(events) < len(entry.events):
                types, part = {event.type for event in events}, None
        if events:
            part = part or part_of(entry, events, types)
            rows.parts.append(part)
            rows.types |= types
            _touch(rows, entry, part, types)
    return rows


def part_of(entry: Entry, events: Sequence[WireEvent], types: AbstractSet[str]) -> Part:
    """What ``events``, at least one and of these ``types``, all or some of the entry's, add to a flush.

    For all of them it is made as soon as the entry is there: what has just been read is still in the processor's cache,
    and the flush, for which others wait, begins sooner.
    """
    visit = events if AFTERWARDS.isdisjoint(types) else [event for event in events if event.type not in AFTERWARDS]
    times = [event.t for event in visit]
    ended = [int(event.t) for event in visit if event.type == "session_ended"] if "session_ended" in types else ()
    return Part(
        _columns(entry, events, types),
        len(events),
        len(times),
        int(min(times, default=0)),
        int(max(times, default=0)),
        max(ended, default=None),
        all(is_aside(entry.tab, event.type, event.props) for event in visit),
    )


def _without(entry: Entry, stored: Collection[Key], new: set[Key]) -> list[WireEvent]:
    """The entry's events that are neither stored nor in the flush already; they are added to ``new``."""
    left = []
    for event in entry.events:
        key = (entry.session_id, event.id)
        if key not in stored and key not in new:
            new.add(key)
            left.append(event)
    return left


_encode = msgspec.json.Encoder().encode
_AT, _PERCENT = b"@%"
"""As numbers: a piece of bytes is looked for in bytes only after it has turned out to be none, which is an error raised
and forgotten."""


def _columns(entry: Entry, events: Sequence[WireEvent], types: AbstractSet[str]) -> Columns:
    props = _encode([event.props for event in events])
    urls = [event.url for event in events]
    elsewhere = any(urls)
    url = entry.page_url
    # Nearly always all is kept: one look at the whole instead of one at each value, and for single characters, which is
    # quick.
    if (
        entry.extra_fields is not None
        or "identified" in types
        or _AT in props
        or (_PERCENT in props and b"%40" in props)
        or kept_url(url) is not url
        or may_hold_secrets(types, props)
        or (elsewhere and any(kept_url(one) is not one for one in urls))
    ):
        events = [_kept(event, entry.extra_fields) for event in events]
        props = _encode([event.props for event in events])
        urls, url = [event.url for event in events], kept_url(url)
    count = len(events)
    return Columns(
        uuid_piece(entry.session_id) * count,
        uuid_pieces([event.id for event in events]),
        uuid_piece(entry.visitor_id) * count,
        text_piece(entry.tab) * count,
        bigint_pieces([event.seq for event in events]),
        double_pieces([event.t for event in events]),
        double_piece(entry.received_ms) * count,
        b"".join([known_text_piece(event.type) for event in events]),
        b"".join([text_piece(one or url) for one in urls]) if elsewhere else text_piece(url) * count,
        props[1:-1],
    )


def _kept(event: WireEvent, extra: Collection[str] | None) -> WireEvent:
    """A copy where something is not kept: the entry's own are still asked who somebody is."""
    url = kept_url(event.url)
    props = kept_props(event.type, event.props if extra is None else only_allowed(event.type, event.props, extra))
    if props is event.props and url is event.url:
        return event
    return WireEvent(event.id, event.t, event.type, event.seq, props, url)


def _touch(rows: Rows, entry: Entry, part: Part, types: AbstractSet[str]) -> None:
    if not part.count:
        return
    first, last, visitor_id = part.first, part.last, entry.visitor_id
    visit = rows.visits.get(entry.session_id.int)
    if visit is None:
        visit = Visit(entry.session_id, visitor_id, first, last, entry.received_ms, aside=part.aside)
        rows.visits[entry.session_id.int] = visit
    elif (first, visitor_id) < (visit.started, visit.visitor_id):
        # Whoever comes first, it is the session of its earliest event's visitor.
        visit.started, visit.visitor_id = first, visitor_id
    visit.aside = visit.aside and part.aside
    visit.last = max(visit.last, last)
    visit.received = max(visit.received, entry.received_ms)
    if "purchased" in types:
        visit.purchased = True
    if part.ended is not None:
        visit.ended = max(visit.ended or 0, part.ended)
    seen = rows.visitors.get(visitor_id.int)
    if seen is None:
        seen = rows.visitors[visitor_id.int] = Seen(visitor_id, first)
    seen.first = min(seen.first, first)
    seen.events += part.count
