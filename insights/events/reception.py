"""Takes messages of other dialects: translates, gives each its visitor and session, has them written.

Whoever gets an answer knows that everything accepted is committed and everything refused is kept with its reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from insights.errors import Unavailable
from insights.events import attach
from insights.events.belonging import Home, ToldOrder, homes_of
from insights.events.dialects import ga4, generic, segment, shopify, shopify_pixel
from insights.events.dialects.translation import ONLINE, Envelope, Translated, Untranslatable
from insights.events.entry import Entry
from insights.events.near_names import near_miss
from insights.events.places import place
from insights.events.reading import event_or_reason
from insights.events.record import Recorder
from insights.events.signed_names import prove_message
from insights.events.storable import unstorable
from insights.events.wire import SERVERS_ONLY, Limits, Rejection, WireEvent
from insights.identity.proof import ANY_CLAIM, Proof
from insights.vocabulary.events import AFTERWARDS

Translate = Callable[[Any, Envelope], list[Translated]]

DIALECTS: Final[Mapping[str, Translate]] = {
    "segment": segment.translate,
    "ga4": ga4.translate,
    "shopify_pixel": shopify_pixel.translate,
    "shopify": shopify.translate,
    "generic": generic.translate,
}
"""Dialect → what turns one of its messages into our events, or raises Untranslatable."""

log = structlog.get_logger()


class Forgets(Protocol):
    """Where live profiles are held."""

    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """Drops a visitor's profile: it is rebuilt from what is stored."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came: parsed JSON, and what stood around it."""

    raw: Any
    envelope: Envelope


@dataclass(slots=True)
class Refusal:
    """A message that was not accepted, or not believed. ``index``: its place in the batch."""

    index: int
    error: str


@dataclass(slots=True)
class Taken:
    """What became of the messages. ``events``: how many events are new. ``doubted``: messages that were taken without
    the names in them. ``unread``: messages that say something by a name that is none of ours."""

    events: int = 0
    refused: list[Refusal] = field(default_factory=list)
    doubted: list[Refusal] = field(default_factory=list)
    unread: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class Read:
    """An event of a message, ready but for its session."""

    event: WireEvent
    said: Translated
    visitor_id: UUID
    tab: str
    received_ms: int
    who: dict[str, Any] | None
    """Names the visitor goes by, where an event of its own must say so."""
    trusted: bool = False
    doubt: str | None = None
    """What to send instead of names that were not believed."""


class Reception:
    """The way in for other dialects. ``gap_ms``: a silence that ends a visit."""

    def __init__(
        self, database: Database, recorder: Recorder, profiles: Forgets, *, limits: Limits, gap_ms: int
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._profiles = profiles
        self._limits = limits
        self._gap_ms = gap_ms

    async def take(
        self, project_id: UUID, dialect: str, messages: Sequence[Message], *, keep_refused: bool = True
    ) -> Taken:
        """Returns after the commit. A message whose events are not all good is refused whole.

        Raises Unavailable when nothing, or only a part, could be stored: sending all of it again does no harm.
        """
        taken = Taken()
        reads: dict[UUID, Read] = {}
        entries: list[Entry] = []
        kept = await self._recorder.kept(project_id)
        for message in messages:
            read = read_message(project_id, dialect, message, self._limits, kept.proof)
            if isinstance(read, str):
                taken.refused.append(Refusal(message.envelope.index, read))
                if keep_refused:
                    entries.append(_refused(project_id, dialect, message, read))
            else:
                if doubt := next((item.doubt for item in read if item.doubt), None):
                    taken.doubted.append(Refusal(message.envelope.index, doubt))
                elif near := next(
                    (told for item in read if (told := near_miss(item.event.type, item.event.props, dialect))), None
                ):
                    taken.unread.append(Refusal(message.envelope.index, near))
                # Two copies in one batch are one event.
                reads |= {item.event.id: item for item in read if item.event.id not in reads}
        news = [item for item in reads.values() if item.event.t > kept.erased.until(item.visitor_id)]
        entries += await self._entries(project_id, news)
        # Several entries wait for the same flush. All of them are waited for: an error must not leave one unheard.
        results = await asyncio.gather(*(self._recorder.record(entry) for entry in entries), return_exceptions=True)
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, int) and result:
                taken.events += result
                self._profiles.forget(project_id, entry.visitor_id)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return taken

    async def _entries(self, project_id: UUID, reads: list[Read]) -> list[Entry]:
        if not reads:
            return []
        received_ms = max(read.received_ms for read in reads)
        try:
            async with self._database.transaction(project_id) as tx:
                homes = await homes_of(tx, project_id, _orders(reads), gap_ms=self._gap_ms)
                loose = [_loose(read, homes.get(read.event.id)) for read in reads]
                places = await place(tx, project_id, loose, gap_ms=self._gap_ms, received_ms=received_ms)
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("messages_not_placed", messages=len(reads), error=type(error).__name__)
            raise Unavailable(
                "The database cannot be reached. Nothing was stored; send the same request again."
            ) from error
        groups: dict[tuple[UUID, UUID, str, bool], list[WireEvent]] = {}
        behind: dict[tuple[UUID, UUID, str, bool], int] = {}
        for read in reads:
            visitor_id, session_id = places[read.event.id]
            whose = (visitor_id, session_id, read.tab, read.trusted)
            group = groups.setdefault(whose, [])
            behind[whose] = max(behind.get(whose, 0), read.said.behind_ms)
            known = {event.id for event in group}
            said = _with_who(read, visitor_id, session_id, homes.get(read.event.id))
            group += [event for event in said if event.id not in known]
        return [
            Entry(
                project_id=project_id,
                visitor_id=visitor_id,
                session_id=session_id,
                tab=tab,
                page_url=None,
                received_ms=received_ms,
                events=events,
                behind_ms=behind[visitor_id, session_id, tab, trusted],
                by_server=trusted,
            )
            for (visitor_id, session_id, tab, trusted), events in groups.items()
            if events
        ]


def _orders(reads: Iterable[Read]) -> list[ToldOrder]:
    return [
        ToldOrder(
            event_id=read.event.id,
            key=str(read.event.props["order_id"]),
            at_ms=int(read.event.t),
            received_ms=read.received_ms,
            visitor_id=read.visitor_id,
            who=read.said.who,
            session=read.said.session,
            trusted=read.trusted,
            value_minor=read.event.props.get("value_minor"),
            currency=read.event.props.get("currency"),
            elsewhere=read.event.props.get(ONLINE) is False,
        )
        for read in reads
        if read.event.type == "purchased"
    ]


def _loose(read: Read, home: Home | None) -> attach.Loose:
    visitor_id, session = read.visitor_id, read.said.session
    if home is not None:
        visitor_id, session = home.visitor_id, str(home.session_id) if home.session_id is not None else None
    return attach.Loose(read.event.id, visitor_id, int(read.event.t), session)


def read_message(project_id: UUID, dialect: str, message: Message, limits: Limits, proof: Proof) -> list[Read] | str:
    """The events of one message, or why it is refused. ``proof``: what is asked of whoever proves nothing."""
    if (reason := unstorable(message.raw)) is not None:
        return reason.replace("event: ", "message: ", 1)
    envelope = message.envelope
    try:
        translated = DIALECTS[dialect](message.raw, envelope)
    except Untranslatable as refusal:
        return str(refusal)
    reads: list[Read] = []
    for said in translated:
        if said.type in AFTERWARDS and not envelope.trusted:
            return SERVERS_ONLY
        said, names, doubt = prove_message(said, ANY_CLAIM if envelope.trusted else proof)
        item = {
            "id": str(attach.event_id(project_id, dialect, said.key)),
            "t": said.at_ms,
            "type": said.type,
            "seq": envelope.index,
            "props": said.props,
            "url": said.url,
        }
        event = event_or_reason(item, limits, 0, envelope.received_ms)
        if isinstance(event, str):
            return event
        # What is told of a visit afterwards is no visit: it must not open one by saying whose it is.
        who = None if said.type in AFTERWARDS else names
        if who is not None:
            named = event_or_reason({**item, "type": "identified", "props": who}, limits, 0, envelope.received_ms)
            if isinstance(named, str):
                return named
        visitor_id = attach.visitor_id(project_id, said.who)
        reads.append(Read(event, said, visitor_id, dialect, envelope.received_ms, who, envelope.trusted, doubt))
    return reads


def _with_who(read: Read, visitor_id: UUID, session_id: UUID, home: Home | None) -> list[WireEvent]:
    """The event, and before it the one that says who the visitor is where only the message's envelope says so.

    Not the event where it is an order that is known; and who placed an order of another visit, only a server says."""
    said = [] if home is not None and home.known else [read.event]
    if read.who is None or (home is not None and home.visitor_id != read.visitor_id and not read.trusted):
        return said
    identifier = attach.who_id(session_id, visitor_id, [read.who.get(n) for n in ("user_id", "email", "phone")])
    return [WireEvent(identifier, read.event.t, "identified", read.event.seq, dict(read.who)), *said]


def _refused(project_id: UUID, dialect: str, message: Message, error: str) -> Entry:
    try:
        raw = json.dumps(message.raw).encode()
    except RecursionError:
        raw = b'"nested too deeply to be kept"'
    return Entry(
        project_id=project_id,
        visitor_id=UUID(int=0),
        session_id=UUID(int=0),
        tab="",
        page_url=None,
        received_ms=message.envelope.received_ms,
        events=(),
        rejected=[Rejection(None, error, raw)],
        envelope={"dialect": dialect, **asdict(message.envelope)},
    )
