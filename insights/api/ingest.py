"""POST /v1/events: appends a batch to its timeline and answers with the one action worth showing.

An ASGI function of its own, in front of the application: it is the hot path, and a framework's routing, validation
and serialisation cost several times what the work itself does. FastAPI documents it all the same (``documented.py``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from adapters.telemetry.meters import Meters
from adapters.telemetry.stages import INGEST
from insights.access.keys import KeyRing, ResolvedKey
from insights.api.body import ClientGone, Receive, read_body
from insights.api.explained import explained
from insights.api.problem import MEDIA_TYPE, headers_of, problem
from insights.api.safe_headers import SAFE
from insights.decisions.decide import Choice, decide
from insights.decisions.guardrails import Limits as ActionLimits
from insights.decisions.kept import mark_shown
from insights.decisions.pivots import withdrawn
from insights.decisions.plan import Plan
from insights.decisions.set_aside import device_key, reservation_of
from insights.decisions.situation import VERSION as SITUATION
from insights.errors import KeyMissing, KeyRefused, NotAllowed, OriginRefused, TooMany, Unavailable, WhyleftError
from insights.events.entry import Entry
from insights.events.record import Recorder
from insights.events.wire import SERVERS_ONLY, Batch, Limits, Reading, WireEvent, read_batch, refuse_types
from insights.intents.model import PRIOR
from insights.intents.score import score
from insights.plans.book import PlanBook
from insights.profiles.loading import ProfileLoader
from insights.profiles.order import fold_in_place, put_in_order
from insights.profiles.pages import event_path
from insights.profiles.profile import Profile
from insights.profiles.store import Copy, LiveProfiles
from insights.traffic.limits import Traffic
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.events import AFTERWARDS
from insights.vocabulary.ids import DecisionId, ProjectId, VisitorId, uuid7

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/v1/events"
FRESH_MS = 60_000
"""Older news is stored, but nothing is decided on it: the moment to show something has passed."""

log = structlog.get_logger()
_encode = msgspec.json.encode

_BEFORE_RECORD = INGEST.index("record") + 1
"""How many marks there are before the commit: the start, and the end of each stage."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as a decision sees it: what happened, what to decide by, and what the browser told of itself."""

    batch: Batch
    plan: Plan
    decision_id: DecisionId
    locale: str
    address: str
    browser: str


class Ingest:
    """The events endpoint. Wraps ``app``, which gets every other request."""

    def __init__(
        self,
        app: App,
        *,
        keys: KeyRing,
        profiles: LiveProfiles,
        plans: PlanBook,
        loader: ProfileLoader,
        recorder: Recorder,
        limits: Limits,
        action_limits: ActionLimits,
        max_body_bytes: int,
        meters: Meters,
        traffic: Traffic,
        explains: bool = False,
    ) -> None:
        self._app = app
        self._keys = keys
        self._profiles = profiles
        self._plans = plans
        self._loader = loader
        self._recorder = recorder
        self._limits = limits
        self._action_limits = action_limits
        self._max_body_bytes = max_body_bytes
        self._meters = meters
        self._traffic = traffic
        self._body_seconds = traffic.connections.seconds
        self._explains = explains

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in ("POST", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            answer = await self.respond(scope, receive)
        except ClientGone:
            return
        self._meters.requests.answered(answer.status)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def respond(self, scope: Scope, receive: Receive) -> Answer:
        """Answers one request. Raises ClientGone."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin")
        cors: list[tuple[bytes, bytes]] = []
        try:
            key = await self._resolve(scope, headers, origin)
            if origin is not None:
                cors = [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
            if scope["method"] == "OPTIONS":
                return Answer(204, [*cors, *_PREFLIGHT], b"")
            body = await read_body(receive, headers, self._max_body_bytes, self._body_seconds)
            marks = [time.perf_counter_ns()]
            answer = _json(200, await self._take(key, body, scope, headers, marks), cors)
            marks.append(time.perf_counter_ns())
            self._meters.stages.passed(marks)
            return answer
        except WhyleftError as error:
            if isinstance(error, TooMany):
                await self._traffic.hold()
                # Turned away before its key was looked at, so the page's origin is not known to be allowed.
                cors = cors or [(b"access-control-allow-origin", b"*")]
            extra = [(name.encode(), value.encode()) for name, value in headers_of(error).items()]
            return Answer(
                error.status,
                [(b"content-type", MEDIA_TYPE.encode()), *extra, *cors, *SAFE],
                problem(error.status, error.title, error.detail, error.field),
            )

    async def _resolve(self, scope: Scope, headers: dict[bytes, bytes], origin: bytes | None) -> ResolvedKey:
        text = key_of(scope["query_string"], headers)
        if text is None:
            raise KeyMissing("Send the project's write key: /v1/events?key=wl_w_… or Authorization: Bearer wl_w_….")
        self._traffic.admit_events(text)
        try:
            key = await self._keys.resolve(text)
        except (DBAPIError, OSError, TimeoutError) as error:
            raise unreachable(error) from error
        if key is None:
            self._traffic.wrong_key(self._traffic.clients.of(scope))
            raise KeyRefused("This key is unknown or was revoked. Make one with `whyleft keys create --kind write`.")
        check_reports(key)
        if origin is not None and not allows(key, origin):
            raise OriginRefused(
                f"Pages of {origin.decode('latin-1')[:200]} may not report for this project. Allow them with "
                f"`whyleft keys create --project {key.project_name} --kind write --origin …`."
            )
        return key

    async def _take(
        self, key: ResolvedKey, body: bytes, scope: Scope, headers: dict[bytes, bytes], marks: list[int]
    ) -> dict[str, Any]:
        """``marks``: when it was begun; the ends of the stages are added, up to the commit."""
        received_ms = time.time_ns() // 1_000_000
        started = marks[0]
        reading = read_batch(body, self._limits, received_ms)
        if key.kind == "write":
            # A write key stands in every page: with it, anybody could take back anybody's order.
            reading = refuse_types(reading, AFTERWARDS, SERVERS_ONLY)
        batch = reading.batch
        project_id = ProjectId(key.project_id)
        for event in batch.events:
            if event.type == "page_viewed" and batch.page is not None:
                _complete(event, batch.page.url, batch.page.title, batch.page.referrer)
        entry = _entry(project_id, reading, received_ms)
        decision_id = DecisionId(uuid7(received_ms))
        choice: Choice | None = None
        copy: Copy | None = None
        asked: _Asked | None = None
        marks.append(time.perf_counter_ns())
        if batch.events:
            # Refused before anything is folded: a profile that holds what was not stored must be read again.
            self._recorder.check_room(project_id, len(batch.events) + len(reading.rejected))
            put_in_order(batch.events)
            asked = _asked(batch, await self._plan(project_id), decision_id, scope, headers)
            copy = await self._copy(project_id, VisitorId(batch.visitor))
        try:
            if copy is not None and asked is not None:
                choice = self._choose(copy, entry, asked, marks)
                if choice is not None:
                    latency_us = (time.perf_counter_ns() - started) // 1_000
                    entry.decision = _decision_row(entry, asked, choice, latency_us)
                    copy.version += 1
            # What was not needed took no time: its end is the end of what came before.
            marks += [time.perf_counter_ns()] * (_BEFORE_RECORD - len(marks))
            added = await self._recorder.record(entry)
            marks.append(time.perf_counter_ns())
        except BaseException:
            # It holds what was perhaps never stored, and what it was to show never leaves.
            self._profiles.forget(project_id, batch.visitor)
            raise
        if copy is not None:
            self._settle(project_id, entry, copy)
        if entry.no_room:
            choice = None
        elif asked is not None and (entry.undecided or (entry.stale and choice is None)):
            choice = await self._choose_again(entry, asked)
        requests = self._meters.requests
        requests.accepted += added
        requests.duplicates += len(batch.events) - added
        requests.rejected += len(reading.rejected)
        answer: dict[str, Any] = {
            "accepted": added,
            "duplicates": len(batch.events) - added,
            "rejected": [{"id": item.id, "error": item.error} for item in reading.rejected],
            "action": _action(decision_id, choice),
        }
        if self._explains and copy is not None:
            answer["explained"] = explained(
                copy.profile, choice, received_ms, asked.plan.intent if asked is not None else PRIOR
            )
        if copy is not None and asked is not None and copy.profile.served:
            answer["withdraw"] = withdrawn(
                copy.profile, score(copy.profile, received_ms, asked.plan.intent), asked.plan.catalogue
            )
        return answer

    async def _copy(self, project_id: ProjectId, visitor_id: VisitorId) -> Copy:
        try:
            return await self._profiles.take(project_id, visitor_id, lambda: self._loader.load(project_id, visitor_id))
        except (DBAPIError, OSError, TimeoutError) as error:
            raise unreachable(error) from error

    async def _plan(self, project_id: ProjectId) -> Plan:
        try:
            return await self._plans.plan_of(project_id)
        except (DBAPIError, OSError, TimeoutError) as error:
            raise unreachable(error) from error

    def _choose(self, copy: Copy, entry: Entry, asked: _Asked, marks: list[int]) -> Choice | None:
        """Folds the batch into the profile, claims to know the visitor by it, and decides on what is new."""
        try:
            batch = asked.batch
            folded = fold_in_place(copy.profile, batch.session, batch.events, _page_url(batch))
            if not folded:
                # Of what came late the profile does not know yet: nothing is claimed, nor decided on half a visit.
                entry.before = None if folded is None else copy.version
                return None
            entry.before, entry.fresh = copy.version, folded
            copy.version += folded
            marks.append(time.perf_counter_ns())
            choice = self._decide(copy.profile, entry, asked, marks)
        except Exception:
            # A broken decision must never cost the shop its events.
            log.exception("decision_failed")
            entry.before = None
            return None
        if choice is not None:
            # Before the commit, so that a second request of this visitor that arrives meanwhile sees it.
            _claim(copy.profile, entry, choice, asked)
        return choice

    async def _choose_again(self, stored: Entry, asked: _Asked) -> Choice | None:
        """Decides once more, by the profile that is built from what is stored now, the batch among it.

        The events are safe already: whatever goes wrong here, nothing is shown and nothing is said.
        """
        started = time.perf_counter_ns()
        project_id = ProjectId(stored.project_id)
        try:
            copy = await self._copy(project_id, VisitorId(stored.visitor_id))
        except WhyleftError:
            return None
        entry = replace(
            stored,
            events=(),
            rejected=(),
            decision=None,
            before=copy.version,
            fresh=0,
            stale=False,
            undecided=False,
            reservation=None,
            no_room=False,
        )
        try:
            choice = self._decide(copy.profile, stored, asked, [])
            if choice is not None:
                _claim(copy.profile, entry, choice, asked)
                latency_us = (time.perf_counter_ns() - started) // 1_000
                entry.decision = _decision_row(entry, asked, choice, latency_us)
                copy.version += 1
                await self._recorder.record(entry)
        except BaseException as error:
            self._profiles.forget(project_id, stored.visitor_id)
            if not isinstance(error, Exception):
                raise
            log.warning("decision_failed", error=type(error).__name__)
            return None
        self._settle(project_id, entry, copy)
        return None if entry.undecided else choice

    def _settle(self, project_id: ProjectId, entry: Entry, copy: Copy) -> None:
        # Whether it is right was compared in the commit itself: what is not is built again.
        if entry.before is None or entry.stale or entry.undecided:
            log.debug("profile_forgotten", stale=entry.stale, withheld=entry.undecided)
            self._profiles.forget(project_id, entry.visitor_id)
        else:
            self._profiles.keep(project_id, entry.visitor_id, copy)

    def _decide(self, profile: Profile, entry: Entry, asked: _Asked, marks: list[int]) -> Choice | None:
        batch, received_ms = asked.batch, entry.received_ms
        last = batch.events[-1]
        if received_ms - last.t > FRESH_MS:
            return None
        intent = score(profile, received_ms, asked.plan.intent)
        marks.append(time.perf_counter_ns())
        plan = asked.plan
        if marks[-1] - marks[0] > self._action_limits.deadline_ms * 1_000_000:
            # Late already, by a profile that had to be built: what is certain costs least.
            plan = replace(plan, learned=None)
        return decide(
            profile,
            intent,
            visitor_id=batch.visitor,
            decision_id=asked.decision_id,
            now_ms=received_ms,
            event_type=last.type,
            path=event_path(last.type, last.url or _page_url(batch), last.props.get("path")),
            limits=self._action_limits,
            plan=plan,
            locale=asked.locale,
        )


def _asked(batch: Batch, plan: Plan, decision_id: DecisionId, scope: Scope, headers: dict[bytes, bytes]) -> _Asked:
    client = scope.get("client")
    address = str(client[0]) if client else ""
    return _Asked(
        batch, plan, decision_id, _locale(headers), address, headers.get(b"user-agent", b"").decode("latin-1")
    )


def _claim(profile: Profile, entry: Entry, choice: Choice, asked: _Asked) -> None:
    """Marks what is to be shown, and says what has to be set aside for it."""
    if choice.action is LiveAction.DO_NOTHING:
        return
    profile.mark_served(choice.action, entry.received_ms, choice.stage)
    if choice.shown is not None:
        if choice.shown.kept and choice.shown.entry_id is not None:
            mark_shown(profile, choice.shown.entry_id)
        entry.reservation = reservation_of(
            choice.shown,
            visitor_id=entry.visitor_id,
            decision_id=asked.decision_id,
            device=device_key(asked.plan.salt, asked.address, asked.browser),
            cart_minor=profile.cart_minor,
            code=choice.code,
            now_ms=entry.received_ms,
        )


_LOCALE = re.compile(rb"^\s*([A-Za-z]{2})(?:-([A-Za-z]{2}))?").match


def _locale(headers: dict[bytes, bytes]) -> str:
    """The language that the browser asks for first, as de or de-AT; "" when it does not say."""
    found = _LOCALE(headers.get(b"accept-language", b""))
    if found is None:
        return ""
    language, region = found[1].decode().lower(), found[2]
    return f"{language}-{region.decode().upper()}" if region else language


_KEY = re.compile(rb"(?:^|&)key=([^&]+)").search


def key_of(query: bytes, headers: dict[bytes, bytes]) -> str | None:
    """The key of a request: ``?key=`` (beacons cannot set headers), a bearer token, or None."""
    authorization = headers.get(b"authorization", b"")
    if authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip().decode("latin-1")
    found = _KEY(query)
    return unquote_plus(found[1].decode("latin-1")) if found else None


_PREFLIGHT = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding"),
    (b"access-control-max-age", b"7200"),
]


def check_reports(key: ResolvedKey) -> None:
    """Raises NotAllowed for a secret key that may not change anything."""
    if not key.reports:
        raise NotAllowed("This key cannot report events. Send a write key, or a secret key of an editor.")


def allows(key: ResolvedKey, origin: bytes) -> bool:
    """Whether pages of this origin may report with this key."""
    # Compared whole: "https://shop.example.evil" and "null" match nothing they were not given for.
    return "*" in key.allowed_origins or origin.decode("latin-1") in key.allowed_origins


def _complete(event: WireEvent, url: str | None, title: str | None, referrer: str | None) -> None:
    for name, value in (("url", url), ("title", title), ("referrer", referrer)):
        if value and name not in event.props:
            event.props[name] = value[:4096]


def _page_url(batch: Batch) -> str | None:
    url = batch.page.url if batch.page else None
    return url[:4096] if url else None


def _entry(project_id: UUID, reading: Reading, received_ms: int) -> Entry:
    batch = reading.batch
    page_url = _page_url(batch)
    return Entry(
        project_id=project_id,
        visitor_id=batch.visitor,
        session_id=batch.session,
        tab=batch.tab,
        page_url=page_url,
        received_ms=received_ms,
        events=batch.events,
        rejected=reading.rejected,
        envelope={
            "visitor": str(batch.visitor),
            "session": str(batch.session),
            "tab": batch.tab,
            "page_url": page_url,
            "skew_ms": reading.skew_ms,
        }
        if reading.rejected
        else {},
    )


def _decision_row(entry: Entry, asked: _Asked, choice: Choice, latency_us: int) -> dict[str, Any]:
    return {
        "id": asked.decision_id,
        "visitor_id": entry.visitor_id,
        "session_id": entry.session_id,
        "event_id": asked.batch.events[-1].id,
        "decided_at": entry.received_ms,
        "policy": choice.policy,
        "stage": choice.stage.value,
        "intent": choice.intent.as_dict(),
        "probabilities": choice.probabilities,
        "excluded": choice.excluded,
        "action": choice.action.value,
        "why": choice.why,
        "latency_us": latency_us,
        "situation": choice.learning.row.tolist(),
        "situation_version": SITUATION,
        "rules": choice.learning.rules.value,
        "say": choice.learning.say,
        "entry_id": None if choice.shown is None else choice.shown.entry_id,
        "given_minor": None if entry.reservation is None else entry.reservation.cost_minor,
        "held_back": None if choice.learning.held_back is None else choice.learning.held_back.value,
    }


def _action(decision_id: UUID, choice: Choice | None) -> dict[str, Any] | None:
    if choice is None or choice.offer is None:
        return None
    return {
        "decision_id": str(decision_id),
        "action": choice.action.value,
        "template": choice.offer.template,
        "content": choice.offer.content,
    }


def _json(status: int, document: dict[str, Any], cors: list[tuple[bytes, bytes]]) -> Answer:
    return Answer(status, [(b"content-type", b"application/json"), *cors, *SAFE], _encode(document))


def unreachable(error: Exception) -> Unavailable:
    """The refusal to give while the database cannot be reached."""
    log.warning("database_unreachable", error=type(error).__name__)
    return Unavailable("The database cannot be reached. Nothing was stored; send the same request again.")
