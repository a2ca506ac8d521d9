"""Decides what may arrive: reads an event batch, keeps its good events and says why the others are refused.

The usual batch is decoded in one go. Only a batch in which something is wrong is taken apart event by event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, NoReturn
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field, inspect

from insights.errors import Refused
from insights.vocabulary.events import PROPS, Props
from insights.vocabulary.ids import is_uuid7, uuid7_ms

EARLIEST_MS = 946_684_800_000  # 2000-01-01: before it no shop had a browser to report from
LEAD_MS = 86_400_000
MAX_DEPTH = 16
MAX_SEQ = 2**53
MAX_URL = 4096
MAX_TAB = 100
MAX_INTEGER = 2**63
SERVERS_ONLY = "type: only a server may say this; send it with the project's secret key"


class Page(Struct, gc=False):
    """The page that a batch was sent from."""

    url: str | None = None
    referrer: str | None = None
    title: str | None = None


class WireEvent(Struct, gc=False):
    """One event as it arrives. ``t`` is the client's clock in epoch milliseconds."""

    id: UUID
    t: int | float
    type: str
    seq: int = 0
    props: dict[str, Any] = field(default_factory=dict)
    url: str | None = None


class _UsualEvent(WireEvent, gc=False):
    """An event whose ``seq`` and ``url`` the decoder itself finds to be in order."""

    seq: Annotated[int, Meta(ge=0, le=MAX_SEQ)] = 0
    url: Annotated[str, Meta(max_length=MAX_URL)] | None = None


class Batch(Struct, gc=False):
    """A batch as it arrives. ``sent_at`` is the client's clock when this attempt left, in epoch milliseconds."""

    visitor: UUID
    session: UUID
    events: list[WireEvent]
    tab: str = ""
    sent_at: int | float | None = None
    page: Page | None = None


class _Batch(Batch, gc=False):
    events: list[_UsualEvent]  # type: ignore[assignment]  # nobody puts others into it


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one batch may hold."""

    events: int = 500
    event_bytes: int = 32_768
    clock_skew_ms: float = 600_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event that cannot be accepted: its id where it has one, the reason, and its JSON to keep."""

    id: str | None
    error: str
    raw: bytes


class Reading(Struct, frozen=True):
    """What came of a body: ``batch.events`` are the good ones, with corrected times in ``t`` (whole milliseconds).

    ``skew_ms`` was added to each client time.
    """

    batch: Batch
    rejected: list[Rejection]
    skew_ms: int


_FIT = (str, float, bool)
"""What is fit to be kept whatever its value: the decoder lets no other floats in than finite ones."""


class _EventRefused(Exception):
    """This event cannot be accepted; the text names the field."""


def _plain(known: type[Props]) -> frozenset[str]:
    """The props whose values are fit to be kept once their type is checked: texts, marks and bounded numbers."""
    fit = (inspect.StrType, inspect.FloatType, inspect.IntType, inspect.BoolType, inspect.LiteralType, inspect.NoneType)
    about = inspect.type_info(known)
    assert isinstance(about, inspect.StructType)  # noqa: S101 (props types are structs)
    return frozenset(
        one.encode_name
        for one in about.fields
        if all(
            isinstance(kind, fit)
            for kind in (one.type.types if isinstance(one.type, inspect.UnionType) else (one.type,))
        )
    )


_KNOWN: dict[str, tuple[type[Props] | None, frozenset[str]]] = {
    name: (known, _plain(known)) for name, known in PROPS.items()
}
_CUSTOM: tuple[None, frozenset[str]] = (None, frozenset())

_convert = msgspec.convert
_decode_batch = msgspec.json.Decoder(_Batch).decode
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


def read_batch(body: bytes, limits: Limits, received_ms: int) -> Reading:
    """Reads the body of POST /v1/events, received at ``received_ms`` (epoch milliseconds).

    Raises Refused when nothing of it can be kept: no JSON, or visitor, session or events missing or wrong.
    """
    # A single character is looked for much faster, and few bodies have it.
    if len(body) <= limits.event_bytes and (b"\\" not in body or b"\\u0000" not in body):
        try:
            batch = _decode_batch(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _read_apart(body, limits, received_ms)
        _check_envelope(batch.visitor, batch.session, batch.tab, len(batch.events), limits)
        skew = _skew(batch.sent_at, received_ms, limits)
        try:
            _admit(batch.events, skew, received_ms)
        except _EventRefused:
            return _read_apart(body, limits, received_ms)
        return Reading(batch, [], skew)
    return _read_apart(body, limits, received_ms)


time_of: Callable[[WireEvent], float] = attrgetter("t")
type_of: Callable[[WireEvent], str] = attrgetter("type")


def refuse_types(reading: Reading, types: AbstractSet[str], error: str) -> Reading:
    """The same reading with the events of these types among the rejected."""
    refused = [event for event in reading.batch.events if event.type in types]
    reading.batch.events = [event for event in reading.batch.events if event.type not in types]
    rejected = [Rejection(str(event.id), error, msgspec.json.encode(event)) for event in refused]
    return Reading(reading.batch, [*reading.rejected, *rejected], reading.skew_ms)


def admit(events: Iterable[WireEvent], skew: int, received_ms: int) -> None:
    """Checks decoded events and corrects their times in place. Raises the first refusal, which names the field."""
    for event in events:
        if not 0 <= event.seq <= MAX_SEQ:
            raise _EventRefused("seq: must be a whole number from 0 up")
        if event.url is not None and len(event.url) > MAX_URL:
            raise _EventRefused(f"url: is longer than {MAX_URL} characters; leave the query out")
        _admit((event,), skew, received_ms)


def _admit(events: Iterable[WireEvent], skew: int, received_ms: int) -> None:
    """The same for events whose ``seq`` and ``url`` are in order."""
    latest = received_ms + LEAD_MS
    for event in events:
        at = event.t
        if skew or at.__class__ is not int:
            event.t = at = int(at) + skew
        if not EARLIEST_MS <= at <= latest:
            raise _EventRefused(
                "t: is not a time between the year 2000 and now; send the client's clock in epoch milliseconds"
            )
        known, plain = _KNOWN.get(event.type, _CUSTOM)
        if known is None:
            _keep_as_custom(event)
        else:
            try:
                _convert(event.props, known)
            except msgspec.ValidationError as error:
                raise _EventRefused(_field_first(str(error), "props")) from None
        if not plain.issuperset(event.props):
            _check_fit(event.props)


def _check_fit(props: dict[str, Any]) -> None:
    for name, value in props.items():
        kind = type(value)
        if kind not in _FIT and (unfit := _unfit(value, MAX_DEPTH)):
            raise _EventRefused(f"props.{name}: {unfit}")


def _keep_as_custom(event: WireEvent) -> None:
    if not event.type or len(event.type) > 200:
        raise _EventRefused("type: must be 1 to 200 characters")
    event.props = {"name": event.type, "props": event.props}
    event.type = "custom"


def _unfit(value: Any, levels: int) -> str | None:
    """Why a value cannot be kept: too deep to be read again, or a number past what a double holds."""
    if isinstance(value, int):
        return None if abs(value) <= MAX_INTEGER else "is too large a number"
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return None
    if levels == 0:
        return f"is nested deeper than {MAX_DEPTH} levels"
    return next((unfit for item in value if (unfit := _unfit(item, levels - 1))), None)


def _check_envelope(visitor: UUID, session: UUID, tab: str, events: int, limits: Limits) -> None:
    if not is_uuid7(session):
        raise Refused("session: must be a UUIDv7, whose first 48 bits are epoch milliseconds.", field="session")
    if uuid7_ms(session) < EARLIEST_MS:
        raise Refused("session: the time in this UUIDv7 is before the year 2000.", field="session")
    if visitor.int == 0:
        raise Refused("visitor: must be a UUID other than zero.", field="visitor")
    if len(tab) > MAX_TAB:
        raise Refused(f"tab: must be at most {MAX_TAB} characters.", field="tab")
    if events > limits.events:
        raise Refused(f"events: {events} in one batch; send at most {limits.events} at a time.", field="events")


def _skew(sent_at: float | None, received_ms: int, limits: Limits) -> int:
    """How far to move the client's times. Transit delay is not skew, so only a large difference counts."""
    if sent_at is None:
        return 0
    difference = received_ms - sent_at
    return int(difference) if abs(difference) > limits.clock_skew_ms else 0


# --- the slow way, for a batch in which something is wrong -------------------------------------------------------


class _Envelope(Struct):
    visitor: UUID
    session: UUID
    events: list[Any]
    tab: str = ""
    sent_at: int | float | None = None
    page: Page | None = None


def _read_apart(body: bytes, limits: Limits, received_ms: int) -> Reading:
    # The standard library reads what msgspec refuses whole (half a surrogate pair, NaN), so that one event with
    # such a value does not take its batch with it.
    try:
        document = json.loads(body)
    except RecursionError:
        _refuse("the JSON is nested too deeply")
    except ValueError as error:
        _refuse(f"the body is not JSON: {error}")
    if not isinstance(document, dict):
        _refuse("the body must be a JSON object with visitor, session and events")
    try:
        envelope = msgspec.convert(_printable(document), _Envelope)
    except msgspec.ValidationError as error:
        detail = _field_first(str(error), "")
        raise Refused(f"{detail}.", field=detail.partition(":")[0]) from None
    _check_envelope(envelope.visitor, envelope.session, envelope.tab, len(envelope.events), limits)
    skew = _skew(envelope.sent_at, received_ms, limits)
    good: list[WireEvent] = []
    rejected: list[Rejection] = []
    for item in document["events"]:
        try:
            event = read_event(item, limits)
            admit((event,), skew, received_ms)
            good.append(event)
        except _EventRefused as refusal:
            identifier = item.get("id") if isinstance(item, dict) else None
            rejected.append(
                Rejection(
                    identifier[:100].encode(errors="replace").decode() if isinstance(identifier, str) else None,
                    str(refusal),
                    json.dumps(item).encode(),
                )
            )
    batch = Batch(envelope.visitor, envelope.session, good, envelope.tab, envelope.sent_at, envelope.page)
    return Reading(batch, rejected, skew)


def read_event(item: Any, limits: Limits) -> WireEvent:
    """One event out of parsed JSON. Raises a refusal that names the field."""
    _check_values(item, "", 0)
    if len(json.dumps(item, ensure_ascii=False).encode()) > limits.event_bytes:
        raise _EventRefused(f"event: is larger than {limits.event_bytes} bytes; send less in props")
    try:
        return msgspec.convert(item, WireEvent)
    except msgspec.ValidationError as error:
        raise _EventRefused(_field_first(str(error), "")) from None


def read_again(raw: bytes, limits: Limits, skew_ms: int, received_ms: int) -> WireEvent | str:
    """A rejected event as it was received then, by today's rules: the event if it is good now, else the reason."""
    try:
        return event_or_reason(json.loads(raw), limits, skew_ms, received_ms)
    except (ValueError, RecursionError) as error:
        return f"event: is not JSON: {error}"


def event_or_reason(item: Any, limits: Limits, skew_ms: int, received_ms: int) -> WireEvent | str:
    """An event out of parsed JSON with its time corrected, or why it is refused."""
    try:
        event = read_event(item, limits)
        admit((event,), skew_ms, received_ms)
    except _EventRefused as refusal:
        return str(refusal)
    return event


def unstorable(value: Any) -> str | None:
    """Why a value of parsed JSON cannot be kept, naming the field: NUL, half a character, NaN, too deep; else None."""
    try:
        _check_values(value, "", 0)
    except _EventRefused as refusal:
        return str(refusal)
    return None


def _check_values(value: Any, path: str, depth: int) -> None:
    """Refuses what PostgreSQL or JSON cannot hold: NUL, half a surrogate pair, NaN, infinity, numbers past a double."""
    if depth > MAX_DEPTH + 2:
        raise _EventRefused(f"{path or 'event'}: is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if "\x00" in value:
            raise _EventRefused(f"{path or 'event'}: holds a NUL character; remove it")
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise _EventRefused(
                f"{path or 'event'}: holds half of a character (a lone surrogate); cut text at characters"
            )
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_values(name, path or "event", depth)
            _check_values(item, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_values(item, path, depth + 1)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise _EventRefused(f"{path}: is not a finite number")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise _EventRefused(f"{path}: is too large a number")


def _printable(document: dict[str, Any]) -> dict[str, Any]:
    """The envelope's own texts must be storable; its events are looked at one by one."""
    envelope = {name: value for name, value in document.items() if name != "events"}
    try:
        _check_values(envelope, "", 0)
    except _EventRefused as refusal:
        raise Refused(f"{refusal}.", field=str(refusal).partition(":")[0]) from None
    return document


def _field_first(message: str, prefix: str) -> str:
    """msgspec's message with the field's name in front: ``props.price_minor: Expected `int`, got `str```."""
    found = _PATH.search(message)
    path = found["path"] if found else ""
    name = ".".join(part for part in (prefix, path) if part)
    if not name and (missing := re.search(r"missing required field `([^`]+)`", message)):
        return f"{missing[1]}: is missing"
    if missing := re.search(r"missing required field `([^`]+)`", message):
        return f"{name}.{missing[1]}: is missing"
    return f"{name or 'body'}: {_PATH.sub('', message)}"


def _refuse(detail: str) -> NoReturn:
    raise Refused(f"{detail[0].upper()}{detail[1:]}.", field="body")
