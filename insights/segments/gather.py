"""Gathers what the database knows of one visitor for conditions. Each piece is read once, and only if asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions import Asked, Known, Value
from insights.conditions.event_fields import EventQuestion, HappenedEvent, answer, question_of, window_of
from insights.conditions.profile_fields import profile_reader
from insights.identity.contact import Contact, read_contact
from insights.identity.together import person_of
from insights.intents.intent import Intent
from insights.intents.score import score
from insights.intents.stage import stage_of
from insights.models import Event, Insight, Session, Visitor
from insights.profiles.profile import Profile
from insights.profiles.rebuild import rebuild
from insights.profiles.time_zone import time_zone, zone
from insights.segments.stored_fields import STORED_FIELDS, Said
from insights.segments.tags import tags_of
from insights.vocabulary.stages import Stage

MOST_SESSIONS: Final = 500
MOST_EVENTS: Final = 5_000
"""Of the types asked for; older ones are not looked at."""


@dataclass(frozen=True, slots=True)
class _Seen:
    profile: Profile
    intent: Intent
    stage: Stage


class VisitorGathering:
    """One visitor as the database knows them at ``now``. Lives as long as its transaction."""

    def __init__(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID, now: datetime) -> None:
        self.tx = tx
        self.project_id = project_id
        self.visitor_id = visitor_id
        self.now = now
        self._pieces: dict[str, Any] = {}
        self._values: dict[Asked, Known] = {}
        self._done: set[Asked] = set()

    async def values(self, asked: Iterable[Asked]) -> dict[Asked, Known]:
        """The known ones among the fields asked for; segments are not among them."""
        wanted = set(asked)
        new = wanted - self._done
        about_events: dict[Asked, EventQuestion] = {}
        for name, args in new:
            if (question := question_of(name)) is not None:
                about_events[name, args] = question
            elif (value := await self._value(name, args)) is not None:
                self._values[name, args] = value
        if about_events:
            self._values.update(await self._answers(about_events))
        self._done |= new
        return {one: self._values[one] for one in wanted if one in self._values}

    async def _value(self, name: str, args: tuple[Value, ...]) -> Known | None:
        if (read := profile_reader(name, args)) is not None:
            return read(await self._piece("seen"))
        found = STORED_FIELDS.get(name)
        if found is None:
            return None
        piece, read_piece = found
        content = await self._piece(piece)
        return None if content is None else read_piece(content, args, self.now)

    async def _piece(self, name: str) -> Any:
        if name not in self._pieces:
            self._pieces[name] = await _PIECES[name](self)
        return self._pieces[name]

    async def seen(self) -> _Seen:
        """The live profile, rebuilt, with its scores."""
        profile = await rebuild(self.tx, self.project_id, self.visitor_id)
        intent = score(profile, int(self.now.timestamp() * 1000))
        return _Seen(profile, intent, stage_of(profile, intent))

    async def person(self) -> tuple[UUID, ...]:
        """All visitors of theirs, themselves among them."""
        return await person_of(self.tx, self.project_id, self.visitor_id)

    async def contact(self) -> Contact | None:
        return await read_contact(self.tx, self.project_id, self.visitor_id, await self._piece("person"))

    async def traits(self) -> dict[str, Any]:
        """What the shop said of them on any device; what it said on this one comes first."""
        rows = await self.tx.scalars(
            select(Visitor.traits)
            .where(Visitor.project_id == self.project_id, Visitor.id.in_(await self._piece("person")))
            .order_by(Visitor.id == self.visitor_id, Visitor.identified_at.asc().nulls_first(), Visitor.id)
        )
        return {name: value for traits in rows for name, value in traits.items()}

    async def last_seen_at(self) -> datetime | None:
        """Their latest event on any device."""
        return await self.tx.scalar(select(func.max(Session.last_event_at)).where(*await self._their_sessions()))

    async def _their_sessions(self) -> tuple[ColumnElement[bool], ...]:
        person: tuple[UUID, ...] = await self._piece("person")
        return Session.project_id == self.project_id, Session.visitor_id.in_(person)

    async def visitor(self) -> Visitor | None:
        return await self.tx.get(Visitor, (self.project_id, self.visitor_id))

    async def session(self) -> Session | None:
        """Their own latest: what began on another device is an earlier visit, as in the profile."""
        return await self.tx.scalar(
            select(Session)
            .where(Session.project_id == self.project_id, Session.visitor_id == self.visitor_id)
            .order_by(Session.id.desc())
            .limit(1)
        )

    async def said(self) -> Said | None:
        row = (
            await self.tx.execute(
                select(Insight, Session.last_event_at)
                .join(Session, (Session.project_id == Insight.project_id) & (Session.id == Insight.session_id))
                .where(*await self._their_sessions(), Insight.superseded_at.is_(None))
                .order_by(Insight.session_id.desc())
                .limit(1)
            )
        ).first()
        return Said(row[0], row[1]) if row is not None else None

    async def tags(self) -> frozenset[str]:
        return frozenset(await tags_of(self.tx, self.project_id, await self._piece("person")))

    async def zone(self) -> ZoneInfo | None:
        name = await time_zone(self.tx, self.project_id, self.visitor_id)
        return zone(name) if name is not None else None

    async def _answers(self, asked: dict[Asked, EventQuestion]) -> dict[Asked, Known]:
        windows = [window_of(args) for _, args in asked]
        longest = None if None in windows else max((one for one in windows if one is not None), default=None)
        theirs = select(Session.id).where(*await self._their_sessions())
        if longest is not None:
            theirs = theirs.where(Session.last_event_at >= _before(self.now, longest))
        sessions = (await self.tx.scalars(theirs.order_by(Session.id.desc()).limit(MOST_SESSIONS))).all()
        own: Session | None = await self._piece("session")
        rows = await self.tx.execute(
            select(Event.session_id, Event.type, Event.occurred_at, Event.props)
            .where(
                Event.project_id == self.project_id,
                Event.session_id.in_(sessions),
                Event.visitor_id.in_(await self._piece("person")),
                Event.type.in_(sorted({question.type for question in asked.values()})),
            )
            .order_by(Event.occurred_at.desc(), Event.id.desc())
            .limit(MOST_EVENTS)
        )
        events = [(row[0], row[1], HappenedEvent(row[2], self.now - row[2], row[3])) for row in rows]
        found: dict[Asked, Known] = {}
        for (name, args), question in asked.items():
            of_type = [
                event
                for session_id, kind, event in events
                if kind == question.type and (not question.in_session or (own is not None and session_id == own.id))
            ]
            if (value := answer(question, args, of_type)) is not None:
                found[name, args] = value
        return found


def _before(now: datetime, window: timedelta) -> datetime:
    try:
        return now - window
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


_PIECES: Final[dict[str, Callable[[VisitorGathering], Any]]] = {
    "seen": VisitorGathering.seen,
    "person": VisitorGathering.person,
    "contact": VisitorGathering.contact,
    "traits": VisitorGathering.traits,
    "last_seen_at": VisitorGathering.last_seen_at,
    "visitor": VisitorGathering.visitor,
    "session": VisitorGathering.session,
    "said": VisitorGathering.said,
    "tags": VisitorGathering.tags,
    "zone": VisitorGathering.zone,
}
