"""Decides which visitor and which session a message belongs to that names neither in our terms. Pure.

Messages of other dialects come with the sender's ids and a time. A visitor's id is derived from theirs. A session is
the one the message names, else one of the visitor's whose time reaches to within a gap of the message, else a new one
whose id carries the message's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from insights.events.dialects.translation import Who
from insights.events.wire import EARLIEST_MS
from insights.vocabulary.ids import is_uuid7, uuid7_from_key, uuid7_ms


@dataclass(frozen=True, slots=True)
class Loose:
    """A message without a session: its event's id, whom and when it is about, the sender's name for the session."""

    id: UUID
    visitor_id: UUID
    at_ms: int
    session: str | None = None


@dataclass(slots=True)
class Span:
    """A session of a visitor and the time known to be in it. ``name`` is the sender's own name for it."""

    visitor_id: UUID
    session_id: UUID
    first_ms: int
    last_ms: int
    name: str | None = None


def event_id(project_id: UUID, dialect: str, key: str) -> UUID:
    """The event's id: a message's own where it is a UUIDv7, else the one id that belongs to it."""
    try:
        own = UUID(key)
    except ValueError:
        own = None
    return own if own is not None and is_uuid7(own) else uuid5(project_id, f"{dialect}\0{key}")


def visitor_id(project_id: UUID, who: Who) -> UUID:
    """The visitor's id: ours or a UUID as it is, else the one id that belongs to the sender's.

    An anonymous id wins over a user id, because it tells devices apart; the two never share a visitor by accident.
    """
    if who.visitor is not None:
        return who.visitor
    if who.anonymous_id is not None:
        try:
            own = UUID(who.anonymous_id)
        except ValueError:
            own = None
        return own if own is not None and own.int else uuid5(project_id, f"anonymous\0{who.anonymous_id}")
    for kind in ("user_id", "email", "phone"):
        if (value := getattr(who, kind)) is not None:
            return uuid5(project_id, f"{kind}\0{value}")
    raise ValueError("a message is about somebody")


def own_session(name: str | None) -> UUID | None:
    """The session id that the sender's name for a session is, if it is one of ours."""
    try:
        identifier = UUID(name) if name is not None else None
    except ValueError:
        return None
    valid = identifier is not None and is_uuid7(identifier) and uuid7_ms(identifier) >= EARLIEST_MS
    return identifier if valid else None


def attach(messages: Iterable[Loose], known: Sequence[Span], gap_ms: int) -> dict[UUID, UUID]:
    """The session of each message, by the message's id. ``known`` are spans around the messages' times.

    A silence longer than ``gap_ms`` ends a visit.

    Messages are taken in the order of their times, so that the order within one request decides nothing.
    """
    spans: dict[UUID, list[Span]] = {}
    for span in known:
        spans.setdefault(span.visitor_id, []).append(span)
    found: dict[UUID, UUID] = {}
    for message in sorted(messages, key=lambda m: (m.at_ms, m.id)):
        theirs = spans.setdefault(message.visitor_id, [])
        found[message.id] = _session_of(message, theirs, gap_ms)
    return found


def _session_of(message: Loose, theirs: list[Span], gap_ms: int) -> UUID:
    if message.session is None:
        # Of equally near ones the earlier, then the smaller id: the same choice in every process.
        near = [s for s in theirs if _silence(s, message.at_ms) <= gap_ms]
        span = min(near, key=lambda s: (_silence(s, message.at_ms), s.first_ms, s.session_id), default=None)
        session_id = span.session_id if span is not None else _new(message)
    else:
        span = next((s for s in theirs if s.name == message.session), None)
        session_id = span.session_id if span is not None else own_session(message.session) or _new(message)
    if span is None:
        theirs.append(Span(message.visitor_id, session_id, message.at_ms, message.at_ms, message.session))
    else:
        span.first_ms = min(span.first_ms, message.at_ms)
        span.last_ms = max(span.last_ms, message.at_ms)
    return session_id


def _silence(span: Span, at_ms: int) -> int:
    return max(span.first_ms - at_ms, at_ms - span.last_ms, 0)


def _new(message: Loose) -> UUID:
    named = message.session or message.at_ms
    return uuid7_from_key(message.at_ms, f"{message.visitor_id}/{named}")


def who_id(session_id: UUID, visitor_id: UUID, names: Sequence[str | None]) -> UUID:
    """The id of the event that says, once a session, that its visitor goes by these names."""
    return uuid5(session_id, "\0".join([str(visitor_id), *(name or "" for name in names)]))
