"""Reads an event batch, keeps its good events and says why the others are refused.

The usual batch is decoded in one go. Only a batch in which something is wrong is taken apart event by event.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from insights.errors import Refused
from insights.events.admission import admit, admit_usual, field_first
from insights.events.json_body import parsed
from insights.events.storable import EventRefused, check_values
from insights.events.wire import EARLIEST_MS, MAX_TAB, Batch, Limits, Page, Reading, Rejection, UsualBatch, WireEvent
from insights.vocabulary.ids import is_uuid7, uuid7_ms

(_BACKSLASH,) = b"\\"  # as a number: see ``events/rows``
_decode_batch = msgspec.json.Decoder(UsualBatch).decode


class _Envelope(Struct):
    visitor: UUID
    session: UUID
    events: list[Any]
    tab: str = ""
    sent_at: int | float | None = None
    page: Page | None = None


def read_batch(body: bytes, limits: Limits, received_ms: int) -> Reading:
    """Reads the body of POST /v1/events, received at ``received_ms`` (epoch milliseconds).

    Raises Refused when nothing of it can be kept: no JSON, or visitor, session or events missing or wrong.
    """
    # A single character is looked for much faster, and few bodies have it.
    if len(body) <= limits.event_bytes and (_BACKSLASH not in body or b"\\u0000" not in body):
        try:
            batch = _decode_batch(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _read_apart(body, limits, received_ms)
        _check_envelope(batch.visitor, batch.session, batch.tab, len(batch.events), limits)
        skew, behind = _clock(batch.sent_at, received_ms, limits)
        try:
            admit_usual(batch.events, skew, received_ms)
        except EventRefused:
            return _read_apart(body, limits, received_ms)
        return Reading(batch, [], skew, behind)
    return _read_apart(body, limits, received_ms)


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


def _clock(sent_at: float | None, received_ms: int, limits: Limits) -> tuple[int, int]:
    """(how far to move the client's times, how far its clock is then still behind ours). Transit delay is not skew, so
    only a large difference moves them."""
    if sent_at is None:
        return 0, 0
    difference = int(received_ms - sent_at)
    return (difference, 0) if abs(difference) > limits.clock_skew_ms else (0, difference)


def _read_apart(body: bytes, limits: Limits, received_ms: int) -> Reading:
    # The standard library reads what msgspec refuses whole (half a surrogate pair, NaN), so that one event with
    # such a value does not take its batch with it.
    document = parsed(body)
    if not isinstance(document, dict):
        raise Refused("The body must be a JSON object with visitor, session and events.", field="body")
    try:
        envelope = msgspec.convert(_printable(document), _Envelope)
    except msgspec.ValidationError as error:
        detail = field_first(str(error), "")
        raise Refused(f"{detail}.", field=detail.partition(":")[0]) from None
    _check_envelope(envelope.visitor, envelope.session, envelope.tab, len(envelope.events), limits)
    skew, behind = _clock(envelope.sent_at, received_ms, limits)
    good: list[WireEvent] = []
    rejected: list[Rejection] = []
    for item in document["events"]:
        try:
            event = read_event(item, limits)
            admit((event,), skew, received_ms)
            good.append(event)
        except EventRefused as refusal:
            identifier = item.get("id") if isinstance(item, dict) else None
            rejected.append(
                Rejection(
                    identifier[:100].encode(errors="replace").decode() if isinstance(identifier, str) else None,
                    str(refusal),
                    json.dumps(item).encode(),
                )
            )
    batch = Batch(envelope.visitor, envelope.session, good, envelope.tab, envelope.sent_at, envelope.page)
    return Reading(batch, rejected, skew, behind)


def read_event(item: object, limits: Limits) -> WireEvent:
    """One event out of parsed JSON. Raises EventRefused."""
    check_values(item, "", 0)
    if len(json.dumps(item, ensure_ascii=False).encode()) > limits.event_bytes:
        raise EventRefused(f"event: is larger than {limits.event_bytes} bytes; send less in props")
    try:
        return msgspec.convert(item, WireEvent)
    except msgspec.ValidationError as error:
        raise EventRefused(field_first(str(error), "")) from None


def read_again(raw: bytes, limits: Limits, skew_ms: int, received_ms: int) -> WireEvent | str:
    """A rejected event as it was received then, by today's rules: the event if it is good now, else the reason."""
    try:
        return event_or_reason(json.loads(raw), limits, skew_ms, received_ms)
    except (ValueError, RecursionError) as error:
        return f"event: is not JSON: {error}"


def event_or_reason(item: object, limits: Limits, skew_ms: int, received_ms: int) -> WireEvent | str:
    """An event out of parsed JSON with its time corrected, or why it is refused."""
    try:
        event = read_event(item, limits)
        admit((event,), skew_ms, received_ms)
    except EventRefused as refusal:
        return str(refusal)
    return event


def _printable(document: dict[str, Any]) -> dict[str, Any]:
    """The envelope's own texts must be storable; its events are looked at one by one."""
    envelope = {name: value for name, value in document.items() if name != "events"}
    try:
        check_values(envelope, "", 0)
    except EventRefused as refusal:
        raise Refused(f"{refusal}.", field=str(refusal).partition(":")[0]) from None
    return document
