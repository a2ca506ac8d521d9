"""Reads click logs: each known format's rows become clicks, and a row that cannot be read says why."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from insights.events.wire import EARLIEST_MS
from insights.vocabulary.ids import is_uuid7

LATEST_MS = 4_102_444_800_000  # 2100-01-01: past it a number is no epoch time in the unit we expect


class Format(StrEnum):
    """The click logs that can be read."""

    YOOCHOOSE = "yoochoose"
    REES46 = "rees46"
    WHYLEFT = "whyleft"


@dataclass(frozen=True, slots=True)
class Click:
    """One thing a recorded visitor did.

    ``visitor`` and ``session`` are the log's own names, or UUIDs that are kept as they are; so is ``id``. ``key`` is
    what makes two rows the same click. ``at_ms`` is in epoch milliseconds, ``size`` the row's length in bytes.
    """

    visitor: str | UUID
    session: str | UUID
    at_ms: int
    type: str
    props: dict[str, Any]
    key: str
    size: int
    id: UUID | None = None
    seq: int | None = None
    tab: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be replayed: its line number, counted from 1, and what is wrong with it."""

    line: int
    problem: str


class RowBroken(Exception):
    """This row cannot be read; the text says why."""


def read_clicks(path: Path, format: Format) -> Iterator[Click | BrokenRow]:
    """The rows of a file in file order. Empty lines and a header line are no rows. Raises OSError."""
    read = row_reader(format)
    # In bytes, so that one line in a foreign encoding is one broken row and not the end of the file.
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if not text.strip() or (number == 1 and format is Format.YOOCHOOSE and _is_header(text)):
                    continue
                click = read(text)
            except UnicodeDecodeError:
                yield BrokenRow(number, "is not UTF-8 text")
            except RowBroken as broken:
                yield BrokenRow(number, str(broken))
            else:
                if click is not None:
                    yield click


def row_reader(format: Format) -> Callable[[str], Click | None]:
    """Reads one row of a file after the other; None for a header. What it returns raises RowBroken."""
    if format is Format.YOOCHOOSE:
        return _yoochoose
    return _Rees46() if format is Format.REES46 else _whyleft


def _is_header(text: str) -> bool:
    names = text.split("\t")
    return len(names) >= 3 and all(name.strip().isidentifier() for name in names)


def _yoochoose(text: str) -> Click:
    columns = text.split("\t")
    if len(columns) != 3:
        raise RowBroken(f"has {len(columns)} tab-separated columns; SessionId, ItemId and Time are expected")
    session, item, time = (column.strip() for column in columns)
    _named(session, "SessionId")
    _named(item, "ItemId")
    try:
        seconds = float(time)
    except ValueError:
        raise RowBroken(f"Time {time[:40]!r} is not a number of epoch seconds") from None
    at_ms = _epoch_ms(seconds * 1000, "Time")
    key = f"{Format.YOOCHOOSE}:{session}:{item}:{seconds!r}"
    return Click(session, session, at_ms, "product_viewed", {"product_id": item}, key, len(text))


_REES46_TYPES = {
    "view": "product_viewed",
    "cart": "cart_added",
    "remove_from_cart": "cart_removed",
    "purchase": "purchased",
}
_REES46_COLUMNS = ["event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price"]
_REES46_COLUMNS += ["user_id", "user_session"]


@dataclass
class _Rees46:
    """Knows the order of the columns, which the file's first line may change."""

    columns: list[str] = field(default_factory=lambda: list(_REES46_COLUMNS))

    def __call__(self, text: str) -> Click | None:
        try:
            values = next(csv.reader([text], strict=True))
        except csv.Error as error:
            raise RowBroken(f"is not CSV: {error}") from None
        if "event_time" in values:
            if missing := [name for name in _REES46_COLUMNS if name not in values]:
                raise RowBroken(f"is a header without {', '.join(missing)}")
            self.columns = values
            return None
        if len(values) != len(self.columns):
            raise RowBroken(f"has {len(values)} columns; {', '.join(self.columns)} are expected")
        return _rees46(dict(zip(self.columns, values, strict=True)), len(text.encode()))


def _rees46(row: dict[str, str], size: int) -> Click:
    type = _REES46_TYPES.get(row["event_type"])
    if type is None:
        raise RowBroken(f"event_type {row['event_type'][:40]!r} is none of {', '.join(_REES46_TYPES)}")
    session = _named(row["user_session"], "user_session")
    visitor = _named(row["user_id"], "user_id")
    product = _named(row["product_id"], "product_id")
    at_ms = _iso_ms(row["event_time"])
    price = _minor(row["price"])
    key = f"{Format.REES46}:{session}:{type}:{product}:{at_ms}"
    props: dict[str, Any]
    if type == "purchased":
        # The log has one row for each product of an order and no order number: each row counts as its own order,
        # so that what was paid adds up.
        props = {"order_id": f"{session}:{product}:{at_ms}", "items": 1, "product_id": product, "value_minor": price}
    else:
        category = row["category_code"] or row["category_id"]
        props = {"product_id": product, "category": category, "brand": row["brand"], "price_minor": price}
    return Click(visitor, session, at_ms, type, {k: v for k, v in props.items() if v not in ("", None)}, key, size)


def _iso_ms(text: str) -> int:
    try:
        at = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        raise RowBroken(f"event_time {text[:40]!r} is not a time such as 2019-10-01 00:00:00 UTC") from None
    return _epoch_ms((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000, "event_time")


def _minor(price: str) -> int | None:
    if not price:
        return None
    try:
        amount = Decimal(price)
        fits = 0 <= amount <= 10**10
    except InvalidOperation:
        raise RowBroken(f"price {price[:40]!r} is not a number") from None
    if not fits:
        raise RowBroken(f"price {price[:40]!r} is not a price")
    return round(amount * 100)


class _Event(msgspec.Struct):
    id: UUID
    t: int | float
    type: str
    seq: int = 0
    props: dict[str, Any] = {}
    url: str | None = None


class _Line(msgspec.Struct):
    visitor: UUID
    session: UUID
    event: _Event
    tab: str = ""


_decode_line = msgspec.json.Decoder(_Line).decode


def _whyleft(text: str) -> Click:
    try:
        line = _decode_line(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RowBroken(f"is not an event: {error}") from None
    if not is_uuid7(line.session):
        raise RowBroken("session is not a UUIDv7")
    event = line.event
    at_ms = _epoch_ms(event.t, "t")
    key = f"{line.session}:{event.id}"
    return Click(
        line.visitor,
        line.session,
        at_ms,
        event.type,
        event.props,
        key,
        len(text.encode()),
        id=event.id,
        seq=event.seq,
        tab=line.tab,
        url=event.url,
    )


def _named(text: str, column: str) -> str:
    if not text:
        raise RowBroken(f"{column} is empty")
    if len(text) > 200:
        raise RowBroken(f"{column} is longer than 200 characters")
    return text


def _epoch_ms(ms: float, column: str) -> int:
    # Written so that NaN fails it too.
    if not EARLIEST_MS <= ms < LATEST_MS:
        raise RowBroken(f"{column} is not between the years 2000 and 2100")
    return round(ms)
