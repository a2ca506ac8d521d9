"""POST /v1/events: appends a batch to its timeline and answers with the one action worth showing.

An ASGI function of its own, in front of the application: it is the hot path, and a framework's routing, validation
and serialisation cost several times what the work itself does. FastAPI documents it all the same (``documented.py``).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec

from adapters.telemetry.meters import Meters
from adapters.telemetry.stages import INGEST
from insights.access.keys import ResolvedKey
from insights.api.answers import Answer, Head, head_of
from insights.api.asking import Asked
from insights.api.body import ClientGone, Receive, read_body
from insights.api.deciding import Deciding
from insights.api.explained import explained
from insights.api.problem import MEDIA_TYPE, headers_of, problem
from insights.api.reporting import Reporters, key_of
from insights.api.safe_headers import READABLE, SAFE, Header
from insights.decisions.decide import Choice
from insights.decisions.pivots import withdrawn
from insights.errors import Refused, TooMany, WhyleftError
from insights.events.dialects.names import TABS
from insights.events.entry import Entry
from insights.events.erased import only_after
from insights.events.near_names import LOOKED_AT, near_misses
from insights.events.reading import read_batch
from insights.events.record import Recorder
from insights.events.signed_names import NAMED_VISITOR, is_claimed, prove_events
from insights.events.wire import SERVERS_ONLY, Limits, Reading, WireEvent, refuse_types
from insights.identity.proof import ANY_CLAIM
from insights.intents.score import score
from insights.profiles.newcomers import just_came
from insights.profiles.order import put_in_order
from insights.profiles.store import Copy
from insights.traffic.limits import PART, TIMED, Traffic
from insights.vocabulary.events import AFTERWARDS

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/v1/events"
METHODS = ("POST", "OPTIONS")
_encode = msgspec.json.Encoder().encode

_BEFORE_RECORD = INGEST.index("record") + 1
"""How many marks there are before the commit: the start, and the end of each stage."""


class Ingest:
    """The events endpoint. Wraps ``app``, which gets every other request."""

    def __init__(
        self,
        app: App,
        *,
        reporters: Reporters,
        deciding: Deciding,
        recorder: Recorder,
        limits: Limits,
        max_body_bytes: int,
        meters: Meters,
        traffic: Traffic,
        explains: bool = False,
    ) -> None:
        self._app = app
        self._reporters = reporters
        self._deciding = deciding
        self._recorder = recorder
        self._limits = limits
        self._max_body_bytes = max_body_bytes
        self._meters = meters
        self._body_seconds = traffic.connections.seconds
        self._explains = explains

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request. Raises TooMany."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in METHODS:
            await self._app(scope, receive, send)
            return
        try:
            answer = await self.respond(scope, receive)
        except ClientGone:
            return
        except TooMany as error:
            self._meters.requests.answered(error.status)
            raise
        self._meters.requests.answered(answer.head.status)
        await answer.leave(scope, send)

    def check(self, scope: Scope) -> None:
        """Raises TooMany for a request to this endpoint that would be turned away: it need not be begun."""
        text = key_of(scope["query_string"], dict(scope["headers"]))
        if text is None or scope["method"] not in METHODS:
            return
        try:
            self._reporters.admit(text, counts=False)
        except TooMany as error:
            self._meters.requests.answered(error.status)
            raise

    async def respond(self, scope: Scope, receive: Receive) -> Answer:
        """Answers one request. Raises ClientGone, TooMany."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin")
        try:
            key = await self._reporters.resolve(scope, headers, origin)
            if scope["method"] == "OPTIONS":
                return Answer(head_of(204, (*_cors(origin), *_PREFLIGHT)))
            seconds = 0.0 if TIMED in scope.get("extensions", ()) else self._body_seconds
            body = await read_body(receive, headers, self._max_body_bytes, seconds)
            if len(body) > PART:
                self._reporters.weigh(scope, headers, len(body))
            await self._recorder.turn_of(key.project_id)
            marks = [time.perf_counter_ns()]
            taken = await self._take(key, body, scope, headers, marks)
            answer = Answer(_taken(origin), _encode(taken))
            marks.append(time.perf_counter_ns())
            self._meters.stages.passed(marks)
            return answer
        except TooMany:
            raise
        except WhyleftError as error:
            extra = [(name.encode(), value.encode()) for name, value in headers_of(error).items()]
            return Answer(
                head_of(error.status, ((b"content-type", MEDIA_TYPE.encode()), *extra, *READABLE, *SAFE)),
                problem(error.status, error.title, error.detail, error.field),
            )

    async def _take(
        self, key: ResolvedKey, body: bytes, scope: Scope, headers: dict[bytes, bytes], marks: list[int]
    ) -> dict[str, Any]:
        """``marks``: when it was begun; the ends of the stages are added, up to the commit."""
        received_ms = time.time_ns() // 1_000_000
        reading = read_batch(body, self._limits, received_ms)
        project_id = key.project_id
        kept = await self._recorder.kept(project_id)
        if until := kept.erased.until(reading.batch.visitor):
            reading = only_after(reading, until)
        by_server = key.kind == "secret"
        proof = ANY_CLAIM if by_server else kept.proof
        if is_claimed(reading.batch.visitor, proof):
            raise Refused(f"{NAMED_VISITOR}.", field="visitor")
        entry = _entry(project_id, reading, received_ms, by_server)
        if key.kind == "write" and not AFTERWARDS.isdisjoint(entry.types):
            # A write key stands in every page: with it, anybody could take back anybody's order.
            reading = refuse_types(reading, AFTERWARDS, SERVERS_ONLY)
            entry = _entry(project_id, reading, received_ms, by_server)
        unread = [] if LOOKED_AT.isdisjoint(entry.types) else near_misses(reading.batch.events)
        doubts = []
        if "identified" in entry.types:
            doubts = prove_events(reading.batch.events, proof)
        batch = reading.batch
        if batch.page is not None and "page_viewed" in entry.types:
            for event in batch.events:
                if event.type == "page_viewed":
                    _complete(event, batch.page.url, batch.page.title, batch.page.referrer)
        choice: Choice | None = None
        copy: Copy | None = None
        request: Asked | None = None
        marks.append(time.perf_counter_ns())
        if batch.events:
            # Refused before anything is folded: a profile that holds what was not stored must be read again.
            self._recorder.check_room(project_id, len(batch.events) + len(reading.rejected))
            put_in_order(batch.events)
            new = just_came(batch)
            plan, copy = await self._deciding.prepare(project_id, batch.visitor, new=new)
            request = Asked(batch, plan, scope, headers)
        try:
            if copy is not None and request is not None:
                choice = self._deciding.choose(copy, entry, request, marks)
            # What was not needed took no time: its end is the end of what came before.
            marks += [time.perf_counter_ns()] * (_BEFORE_RECORD - len(marks))
            added = await self._recorder.record(entry)
            marks.append(time.perf_counter_ns())
        except BaseException:
            # It holds what was perhaps never stored, and what it was to show never leaves.
            self._deciding.forget(project_id, batch.visitor)
            raise
        if copy is not None:
            self._deciding.settle(project_id, entry, copy)
        if request is not None and (entry.undecided or (entry.stale and choice is None)):
            choice = await self._deciding.choose_again(entry, request)
        self._meters.requests.took(added, len(batch.events) - added, len(reading.rejected))
        answer: dict[str, Any] = {
            "accepted": added,
            "duplicates": len(batch.events) - added,
            "rejected": reading.rejected and [{"id": item.id, "error": item.error} for item in reading.rejected],
            "action": _action(choice),
        }
        if doubts:
            answer["unverified"] = doubts
        if unread:
            answer["unread"] = unread
        if copy is not None and request is not None:
            profile = copy.profile
            if self._explains:
                answer["explained"] = explained(profile, choice, received_ms, request.plan.intent)
            if profile.served:
                answer["withdraw"] = withdrawn(
                    profile, score(profile, received_ms, request.plan.intent), request.plan.catalogue
                )
        return answer


_PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding"),
    (b"access-control-max-age", b"7200"),
)


def _cors(origin: bytes | None) -> tuple[Header, ...]:
    return () if origin is None else ((b"access-control-allow-origin", origin), (b"vary", b"origin"))


@lru_cache(maxsize=256)
def _taken(origin: bytes | None) -> Head:
    """What every answer to a batch begins with; a page of ``origin`` may read it."""
    return head_of(200, ((b"content-type", b"application/json"), *_cors(origin), *SAFE))


def _complete(event: WireEvent, url: str | None, title: str | None, referrer: str | None) -> None:
    for name, value in (("url", url), ("title", title), ("referrer", referrer)):
        if value and name not in event.props:
            event.props[name] = value[:4096]


def _entry(project_id: UUID, reading: Reading, received_ms: int, by_server: bool) -> Entry:
    batch = reading.batch
    url = batch.page.url if batch.page else None
    page_url = url[:4096] if url else None
    # What came through another dialect is told by its tab. Here anybody may say any.
    tab = "" if batch.tab in TABS else batch.tab
    return Entry(
        project_id=project_id,
        visitor_id=batch.visitor,
        session_id=batch.session,
        tab=tab,
        page_url=page_url,
        received_ms=received_ms,
        events=batch.events,
        rejected=reading.rejected,
        envelope={
            "visitor": str(batch.visitor),
            "session": str(batch.session),
            "tab": tab,
            "page_url": page_url,
            "skew_ms": reading.skew_ms,
        }
        if reading.rejected
        else {},
        behind_ms=reading.behind_ms,
        by_server=by_server,
    )


def _action(choice: Choice | None) -> dict[str, Any] | None:
    if choice is None or choice.offer is None:
        return None
    return {
        "decision_id": str(choice.id),
        "action": choice.action.value,
        "template": choice.offer.template,
        "content": choice.offer.content,
    }
