"""Reads what the database knows of visitors for conditions: each piece once for all of them, and only if asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions import Asked, Known, Value
from flows.zones import zone
from insights.conditions.event_fields import EventQuestion, answer, question_of, window_of
from insights.conditions.profile_fields import profile_reader
from insights.identity.contact import Contact, contact
from insights.identity.together import visitors_together
from insights.intents.intent import Intent
from insights.intents.model import IntentModel
from insights.intents.score import score
from insights.intents.stage import stage_of
from insights.models import Insight, Session, Visitor, VisitorTag
from insights.profiles.profile import Profile
from insights.profiles.rebuild_many import rebuild_many
from insights.segments.stored_fields import STORED_FIELDS, Said
from insights.segments.told import Told, read_told
from insights.training.in_use import read_intent
from insights.vocabulary.stages import Stage

Piece = dict[UUID, Any]
"""Visitor → what is known; one of whom nothing is known is not in it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    profile: Profile
    intent: Intent
    stage: Stage


class Crowd:
    """Some visitors as the database knows them at ``now``. Lives as long as its transaction."""

    def __init__(self, tx: AsyncSession, project_id: UUID, visitors: Iterable[UUID], now: datetime) -> None:
        self.tx = tx
        self.project_id = project_id
        self.visitors = tuple(sorted(set(visitors)))
        self.now = now
        self._pieces: dict[str, Piece] = {}
        self._told: dict[str, dict[UUID, list[Told]]] = {}
        self._windows: dict[str, timedelta | None] = {}

    async def values(self, visitor_id: UUID, asked: Iterable[Asked]) -> dict[Asked, Known]:
        """The known ones among the fields asked for of one of the visitors; segments are not among them."""
        asked = list(asked)
        questions = [(one, question) for one in asked if (question := question_of(one[0])) is not None]
        await self._hear(questions)
        values: dict[Asked, Known] = {}
        for name, args in asked:
            if question_of(name) is None and (value := await self._value(visitor_id, name, args)) is not None:
                values[name, args] = value
        for one, question in questions:
            if (value := await self._answer(visitor_id, one, question)) is not None:
                values[one] = value
        return values

    async def person(self, visitor_id: UUID) -> tuple[UUID, ...]:
        """All visitors of theirs, themselves among them."""
        found: tuple[UUID, ...] = (await self.piece("person"))[visitor_id]
        return found

    async def piece(self, name: str) -> Piece:
        """One thing that is known of each of the visitors."""
        if name not in self._pieces:
            self._pieces[name] = await _PIECES[name](self)
        return self._pieces[name]

    async def _value(self, visitor_id: UUID, name: str, args: tuple[Value, ...]) -> Known | None:
        if (read := profile_reader(name, args)) is not None:
            return read((await self.piece("seen"))[visitor_id])
        if name not in STORED_FIELDS:
            return None
        piece, read_piece = STORED_FIELDS[name]
        content = (await self.piece(piece)).get(visitor_id)
        return None if content is None else read_piece(content, args, self.now)

    async def _answer(self, visitor_id: UUID, asked: Asked, question: EventQuestion) -> Known | None:
        told = self._told[question.type].get(visitor_id, [])
        if question.in_session:
            session: Session | None = (await self.piece("session")).get(visitor_id)
            told = [one for one in told if session is not None and one.session_id == session.id]
        return answer(question, asked[1], [one.event for one in told])

    async def _hear(self, questions: Collection[tuple[Asked, EventQuestion]]) -> None:
        """Reads the events that questions are about, as far back as they ask, unless they are at hand."""
        wanted: dict[str, timedelta | None] = {}
        for (_, args), question in questions:
            window = window_of(args)
            if question.type in wanted:
                window = _wider(wanted[question.type], window)
            wanted[question.type] = window
        new = {
            kind: window
            for kind, window in wanted.items()
            if kind not in self._windows or _wider(self._windows[kind], window) != self._windows[kind]
        }
        if new:
            longest = None if None in new.values() else max(window for window in new.values() if window is not None)
            people = {visitor_id: await self.person(visitor_id) for visitor_id in self.visitors}
            told = await read_told(self.tx, self.project_id, people, sorted(new), longest, self.now)
            for kind in new:
                self._windows[kind] = longest
                self._told[kind] = {
                    visitor_id: [one for one in theirs if one.type == kind] for visitor_id, theirs in told.items()
                }

    async def _people(self) -> Piece:
        return dict(await visitors_together(self.tx, self.project_id, self.visitors))

    async def _members(self) -> set[UUID]:
        return {member for person in (await self.piece("person")).values() for member in person}

    async def _seen(self) -> Piece:
        profiles = await rebuild_many(self.tx, self.project_id, await self.piece("person"))
        model = await read_intent(self.tx, self.project_id)
        return {visitor_id: self._scored(profile, model) for visitor_id, profile in profiles.items()}

    def _scored(self, profile: Profile, model: IntentModel) -> _Seen:
        intent = score(profile, int(self.now.timestamp() * 1000), model)
        return _Seen(profile, intent, stage_of(profile, intent))

    async def _rows(self) -> Piece:
        """The rows of all visitors of each person, themselves last."""
        rows = {
            row.id: row
            for row in await self.tx.scalars(
                select(Visitor).where(Visitor.project_id == self.project_id, Visitor.id.in_(await self._members()))
            )
        }
        return {
            visitor_id: sorted(
                (rows[member] for member in person if member in rows),
                key=lambda row: (row.id == visitor_id, row.identified_at or datetime.min.replace(tzinfo=UTC), row.id),
            )
            for visitor_id, person in (await self.piece("person")).items()
        }

    async def _contact(self) -> Piece:
        found: dict[UUID, Contact | None] = {
            visitor_id: contact(visitor_id, rows) for visitor_id, rows in (await self.piece("rows")).items()
        }
        return found

    async def _traits(self) -> Piece:
        """What the shop said of them on any device; what it said on this one comes first."""
        return {
            visitor_id: {name: value for row in rows for name, value in row.traits.items()}
            for visitor_id, rows in (await self.piece("rows")).items()
        }

    async def _visitor(self) -> Piece:
        pieces = await self.piece("rows")
        return {visitor_id: rows[-1] for visitor_id, rows in pieces.items() if rows and rows[-1].id == visitor_id}

    async def _session(self) -> Piece:
        """Their own latest: what began on another device is an earlier visit, as in the profile."""
        return {
            session.visitor_id: session
            for session in await self.tx.scalars(
                select(Session)
                .ext(distinct_on(Session.visitor_id))
                .where(Session.project_id == self.project_id, Session.visitor_id.in_(self.visitors))
                .order_by(Session.visitor_id, Session.id.desc())
            )
        }

    async def _last_seen_at(self) -> Piece:
        """Their latest event on any device."""
        rows = await self.tx.execute(
            select(Session.visitor_id, func.max(Session.last_event_at))
            .where(Session.project_id == self.project_id, Session.visitor_id.in_(await self._members()))
            .group_by(Session.visitor_id)
        )
        return await self._of_people({row[0]: row[1] for row in rows}, max)

    async def _said(self) -> Piece:
        rows = await self.tx.execute(
            select(Insight, Session.last_event_at)
            .ext(distinct_on(Session.visitor_id))
            .join(Session, (Session.project_id == Insight.project_id) & (Session.id == Insight.session_id))
            .where(
                Session.project_id == self.project_id,
                Session.visitor_id.in_(await self._members()),
                Insight.superseded_at.is_(None),
            )
            .order_by(Session.visitor_id, Session.id.desc())
        )
        latest = {row[0].visitor_id: Said(row[0], row[1]) for row in rows}
        return await self._of_people(latest, lambda all_said: max(all_said, key=lambda said: said.insight.session_id))

    async def _tags(self) -> Piece:
        rows = await self.tx.execute(
            select(VisitorTag.visitor_id, VisitorTag.tag).where(
                VisitorTag.project_id == self.project_id, VisitorTag.visitor_id.in_(await self._members())
            )
        )
        tags: dict[UUID, set[str]] = {}
        for visitor_id, tag in rows:
            tags.setdefault(visitor_id, set()).add(tag)
        found = await self._of_people(tags, lambda sets: frozenset().union(*sets))
        return {visitor_id: found.get(visitor_id, frozenset()) for visitor_id in self.visitors}

    async def _zone(self) -> Piece:
        """The zone that their browser named last, if there is such a zone."""
        named = Session.client["time_zone"].astext
        rows = await self.tx.execute(
            select(Session.visitor_id, named)
            .ext(distinct_on(Session.visitor_id))
            .where(Session.project_id == self.project_id, Session.visitor_id.in_(self.visitors), named.is_not(None))
            .order_by(Session.visitor_id, Session.id.desc())
        )
        zones = {visitor_id: zone(name) for visitor_id, name in rows}
        return {visitor_id: found for visitor_id, found in zones.items() if found is not None}

    async def _of_people(self, by_member: Mapping[UUID, Any], join: Callable[[list[Any]], Any]) -> Piece:
        found = {
            visitor_id: [by_member[member] for member in person if member in by_member]
            for visitor_id, person in (await self.piece("person")).items()
        }
        return {visitor_id: join(parts) for visitor_id, parts in found.items() if parts}


_PIECES: Final[dict[str, Callable[[Crowd], Awaitable[Piece]]]] = {
    "person": Crowd._people,
    "seen": Crowd._seen,
    "rows": Crowd._rows,
    "contact": Crowd._contact,
    "traits": Crowd._traits,
    "visitor": Crowd._visitor,
    "session": Crowd._session,
    "last_seen_at": Crowd._last_seen_at,
    "said": Crowd._said,
    "tags": Crowd._tags,
    "zone": Crowd._zone,
}


def _wider(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    """The window that holds both; None is all there is."""
    return None if one is None or other is None else max(one, other)
