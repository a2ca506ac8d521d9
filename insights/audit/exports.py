"""Reads exports of past events: which format a file has, and each of its lines as happenings in our words.

A line that cannot be read costs only itself: it is named with its number, what is wrong with it and what to do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from insights.audit.lines import LONGEST_LINE, Lines
from insights.errors import Refused
from insights.events.dialects import ga4, segment
from insights.events.dialects.translation import Envelope, Translated, Untranslatable, Who
from insights.events.reading import event_or_reason
from insights.events.storable import unstorable
from insights.events.wire import EARLIEST_MS, Limits
from insights.replay.formats import Format as LogFormat
from insights.replay.formats import RowBroken, row_reader
from insights.vocabulary.ids import is_uuid7

LOOKED_AT: Final = 50
LATEST_MS: Final = 4_102_444_800_000
KNOWN: Final = (
    "Known are: our events as JSON lines (visitor, session, event or events), Segment's messages as JSON lines, GA4's "
    "BigQuery export or Measurement Protocol bodies as JSON lines, the REES46 CSV, and YooChoose's clicks"
)


class Format(StrEnum):
    """The exports that can be read."""

    WHYLEFT = "whyleft"
    SEGMENT = "segment"
    GA4 = "ga4"
    REES46 = "rees46"
    YOOCHOOSE = "yoochoose"


class Happening(Struct, gc=False):
    """One thing that a visitor did. ``session`` is the export's own name of the visit, "" where it has none.

    ``key``: two happenings of one visit with the same key are the same one. ``at_ms``: epoch milliseconds.
    """

    at_ms: int
    visitor: str
    session: str
    key: str
    type: str
    props: dict[str, Any]
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that could not be read: where it is, what is wrong with it."""

    file: str
    line: int
    problem: str


def detect(lines: Lines) -> Format:
    """The format of the first file, by its first lines. Raises Refused, saying what to do."""
    if not lines.paths:
        raise Refused("Name at least one file.")
    path = lines.paths[0]
    seen = 0
    for _, raw in Lines([path]).of(path):
        text = raw.decode("utf-8-sig", "replace").strip()
        if not text:
            continue
        seen += 1
        if (found := _format_of(text, path)) is not None:
            return found
        if seen >= LOOKED_AT:
            break
    if not seen:
        raise Refused(f"{path} is empty: pass an export of past events.")
    raise Refused(f"{path} is in no format that can be read. {KNOWN}. Name it with --format if it is one of these.")


def _format_of(text: str, path: Path) -> Format | None:
    if text.startswith("["):
        raise Refused(f"{path} is one JSON array: write one object a line, for example with `jq -c '.[]' {path}`.")
    if text.startswith("{"):
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            if text == "{":
                raise Refused(
                    f"{path} is JSON over several lines: write one object a line, for example with `jq -c . {path}`."
                ) from None
            return None
        return _json_format(said)
    if text.startswith(("# ---", "# All Users")):
        raise Refused(
            f"{path} is a report of totals from the GA4 pages: totals hold no visits. Link GA4 with BigQuery and "
            "export the tables events_YYYYMMDD as newline-delimited JSON."
        )
    if "event_time" in text and "event_type" in text:
        return Format.REES46
    if text.count("\t") == 2:
        return Format.YOOCHOOSE
    if text.count(",") == 8 and text[:2] in ("19", "20"):
        return Format.REES46
    return None


def _json_format(said: dict[str, Any]) -> Format | None:
    if "event_name" in said and ("event_timestamp" in said or "event_params" in said):
        return Format.GA4
    if "visitor" in said and "session" in said and ("event" in said or "events" in said):
        return Format.WHYLEFT
    if "client_id" in said and "events" in said:
        return Format.GA4
    if said.get("type") in segment.TYPES and not said.keys().isdisjoint({"anonymousId", "userId", "messageId"}):
        return Format.SEGMENT
    return None


Reader = Callable[[str], list["Happening | str"]]
"""A line's happenings; a text among them is a part that cannot be read, and why. Raises _Unreadable for the whole."""


class _Unreadable(Exception):
    """This line cannot be read; the text says why and what to do."""


def read(lines: Lines, format: Format) -> Iterator[Happening | Unread]:
    """Everything in the files, in their order. Empty lines and headers are nothing. Raises Refused."""
    for path in lines.paths:
        reader = _reader(format)
        for number, raw in lines.of(path):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if not text.strip():
                    continue
                if len(raw) >= LONGEST_LINE:
                    raise _Unreadable(f"is longer than {LONGEST_LINE:,} bytes; write one event a line")
                for one in reader(text):
                    yield one if isinstance(one, Happening) else Unread(path.name, number, one)
            except UnicodeDecodeError:
                yield Unread(path.name, number, "is not UTF-8 text; export it again as UTF-8")
            except (_Unreadable, RowBroken) as broken:
                yield Unread(path.name, number, str(broken))


def _reader(format: Format) -> Reader:
    if format is Format.WHYLEFT:
        return _whyleft
    if format is Format.SEGMENT:
        return _segment
    if format is Format.GA4:
        return _ga4
    rows = row_reader(LogFormat(format.value))

    def read_row(text: str) -> list[Happening | str]:
        if format is Format.YOOCHOOSE and text.lower().startswith("sessionid\t"):
            return []
        click = rows(text)
        if click is None:
            return []
        return [Happening(click.at_ms, str(click.visitor), str(click.session), click.key, click.type, click.props)]

    return read_row


def _parsed(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except RecursionError:
        raise _Unreadable("is nested too deeply; write one flat event a line") from None
    except ValueError as error:
        raise _Unreadable(f"is not JSON ({error}); write one whole object a line") from None
    if not isinstance(said, dict):
        raise _Unreadable("is not a JSON object; write one object a line")
    return said


_LIMITS: Final = Limits()


def _whyleft(text: str) -> list[Happening | str]:
    said = _parsed(text)
    try:
        visitor, session = UUID(str(said.get("visitor"))), UUID(str(said.get("session")))
    except ValueError:
        raise _Unreadable("visitor and session must be UUIDs, as the browser SDK makes them") from None
    if not is_uuid7(session):
        raise _Unreadable("session must be a UUIDv7, as the browser SDK makes it")
    events = said.get("events") if "events" in said else [said.get("event")]
    if not isinstance(events, list):
        raise _Unreadable("events must be a list of events")
    page = said.get("page")
    page_url = page.get("url") if isinstance(page, dict) else None
    found: list[Happening | str] = []
    for item in events:
        event = event_or_reason(item, _LIMITS, 0, LATEST_MS)
        if isinstance(event, str):
            found.append(f"{event}; correct it, or leave it out")
        else:
            url = event.url or (page_url if isinstance(page_url, str) else None)
            found.append(
                Happening(int(event.t), str(visitor), str(session), str(event.id), event.type, event.props, url)
            )
    return found


def _segment(text: str) -> list[Happening | str]:
    # Long after: what a sender's clock said when it sent is of no use, and no time at all is no place in a visit.
    message = {name: value for name, value in _parsed(text).items() if name != "sentAt"}
    if message.get("timestamp") is None and message.get("originalTimestamp") is None:
        raise _Unreadable("timestamp: is missing; export when it happened as well")
    return _translated(segment.translate, message, None)


_GA4_VALUES: Final = ("string_value", "int_value", "double_value", "float_value")


def _ga4(text: str) -> list[Happening | str]:
    said = _parsed(text)
    if "event_name" not in said:
        around = {name: value for name, value in said.items() if name != "events"}
        events = said.get("events")
        if not isinstance(events, list):
            raise _Unreadable("event_name: is missing; export rows of events_YYYYMMDD, or bodies with a list of events")
        return [one for event in events for one in _translated(ga4.translate, event, around)]
    if said.get("event_timestamp") is None:
        raise _Unreadable("event_timestamp: is missing; export it as well")
    params = _params(said.get("event_params"))
    items = said.get("items")
    ecommerce = said.get("ecommerce")
    around_sale = ecommerce if isinstance(ecommerce, dict) else {}
    value = next((v for v in (params.get("value"), around_sale.get("purchase_revenue")) if v is not None), None)
    transaction = params.get("transaction_id") or around_sale.get("transaction_id")
    message: dict[str, Any] = {
        "name": said["event_name"],
        "timestamp_micros": said["event_timestamp"],
        "params": {
            **params,
            **({"value": value} if value is not None else {}),
            **({"transaction_id": transaction} if transaction not in (None, "", "(not set)") else {}),
            **({"items": [_item(item) for item in items if isinstance(item, dict)]} if isinstance(items, list) else {}),
        },
    }
    if (number := params.get("ga_session_id")) is not None:
        message["params"]["session_id"] = number
    who = {"client_id": said.get("user_pseudo_id"), "user_id": said.get("user_id")}
    return _translated(ga4.translate, message, {name: value for name, value in who.items() if value})


def _params(said: object) -> dict[str, Any]:
    """BigQuery's list of {key, value: {string_value, …}} as one object; numbers in texts become numbers."""
    found: dict[str, Any] = {}
    for one in said if isinstance(said, list) else []:
        value = one.get("value") if isinstance(one, dict) else None
        if not isinstance(value, dict) or not isinstance(one.get("key"), str):
            continue
        kind = next((name for name in _GA4_VALUES if value.get(name) is not None), None)
        if kind is not None:
            found[one["key"]] = value[kind]
    return found


def _item(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if value not in (None, "", "(not set)")}


def _translated(
    translate: Callable[[Any, Envelope], list[Translated]], message: dict[str, Any], context: object
) -> list[Happening | str]:
    if (problem := unstorable(message) or unstorable(context)) is not None:
        raise _Unreadable(problem)
    envelope = Envelope(received_ms=time.time_ns() // 1_000_000, context=context, trusted=True)
    try:
        found = translate(message, envelope)
    except Untranslatable as problem:
        raise _Unreadable(str(problem)) from None
    return [_happening(one) for one in found]


def _happening(one: Translated) -> Happening | str:
    if not EARLIEST_MS <= one.at_ms < LATEST_MS:
        return "its time is not between the years 2000 and 2100; export it in the unit that the format has"
    return Happening(one.at_ms, _name(one.who), one.session or "", one.key, one.type, one.props, one.url)


def _name(who: Who) -> str:
    return str(who.visitor or who.anonymous_id or who.user_id or who.email or who.phone)
