"""Decides which decoded events are good: their time, their type, and the props that are known of that type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import inspect

from insights.events.near_names import near_miss
from insights.events.storable import MAX_DEPTH, EventRefused, unfit
from insights.events.wire import EARLIEST_MS, LEAD_MS, MAX_SEQ, MAX_URL, WireEvent
from insights.vocabulary.events import PROPS, Props

_FIT = (str, float, bool)
"""What is fit to be kept whatever its value: the decoder lets no other floats in than finite ones."""

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_convert = msgspec.convert


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


def admit(events: Iterable[WireEvent], skew: int, received_ms: int) -> None:
    """Checks decoded events and corrects their times in place. Raises EventRefused for the first that is not good."""
    for event in events:
        if not 0 <= event.seq <= MAX_SEQ:
            raise EventRefused("seq: must be a whole number from 0 up")
        if event.url is not None and len(event.url) > MAX_URL:
            raise EventRefused(f"url: is longer than {MAX_URL} characters; leave the query out")
        admit_usual((event,), skew, received_ms)


def admit_usual(events: Iterable[WireEvent], skew: int, received_ms: int) -> None:
    """The same for events of the usual batch, whose ``seq`` and ``url`` are in order."""
    latest = received_ms + LEAD_MS
    for event in events:
        at = event.t
        if skew or at.__class__ is not int:
            event.t = at = int(at) + skew
        if not EARLIEST_MS <= at <= latest:
            raise EventRefused(
                "t: is not a time between the year 2000 and now; send the client's clock in epoch milliseconds"
            )
        known, plain = _KNOWN.get(event.type, _CUSTOM)
        if known is None:
            _keep_as_custom(event)
        else:
            try:
                _convert(event.props, known)
            except msgspec.ValidationError as error:
                if not _mended(event.props):
                    raise EventRefused(field_first(str(error), "props")) from None
                _convert_again(event.props, known)
            if event.type == "refunded" and (amiss := near_miss("refunded", event.props)):
                raise EventRefused(f"props.{amiss}; without it all of the order would be taken back")
        if not plain.issuperset(event.props):
            _check_fit(event.props)


def _mended(props: dict[str, Any]) -> bool:
    """Takes away what means nothing: small letters of a currency, blanks around an order's id, that an id is a number,
    and a point behind a whole number, which some languages cannot help writing. Whether there was any of it."""
    return _in_capitals(props) | _as_whole(props) | _as_text(props)


def _in_capitals(props: dict[str, Any]) -> bool:
    """Writes a currency in capitals, where it only lacked them: payment services say ``eur``. Whether it did."""
    code = props.get("currency")
    if not isinstance(code, str) or len(code) != 3 or not code.isascii() or code.upper() == code:
        return False
    props["currency"] = code.upper()
    return True


def _as_whole(props: dict[str, Any]) -> bool:
    """``1250.0``, as PHP writes what it has rounded."""
    whole = {name: int(v) for name, v in props.items() if v.__class__ is float and v.is_integer() and abs(v) <= 2**53}
    props.update(whole)
    return bool(whole)


def _as_text(props: dict[str, Any]) -> bool:
    digits = {name: props[name] for name in _IDS if props.get(name).__class__ is int}
    texts = {name: str(number) for name, number in digits.items() if number.bit_length() <= 64}
    order = props.get("order_id")
    if isinstance(order, str) and order.strip() not in ("", order):
        texts["order_id"] = order.strip()
    props.update(texts)
    return bool(texts)


_IDS: Final = ("order_id", "refund_id", "product_id", "user_id")
"""Shops that count their things and people say their ids as numbers."""


def _convert_again(props: dict[str, Any], known: type[Props]) -> None:
    try:
        _convert(props, known)
    except msgspec.ValidationError as error:
        raise EventRefused(field_first(str(error), "props")) from None


def _check_fit(props: dict[str, Any]) -> None:
    for name, value in props.items():
        kind = type(value)
        if kind not in _FIT and (why := unfit(value, MAX_DEPTH)):
            raise EventRefused(f"props.{name}: {why}")


def _keep_as_custom(event: WireEvent) -> None:
    if not event.type or len(event.type) > 200:
        raise EventRefused("type: must be 1 to 200 characters")
    event.props = {"name": event.type, "props": event.props}
    event.type = "custom"


def field_first(message: str, prefix: str) -> str:
    """msgspec's message with the field's name in front, and what to send where that is not plain from it:
    ``props.price_minor: Expected `int`, got `str`; send minor units, like 1250 for 12.50``."""
    found = _PATH.search(message)
    path = found["path"] if found else ""
    name = ".".join(part for part in (prefix, path) if part)
    if not name and (missing := re.search(r"missing required field `([^`]+)`", message)):
        return f"{missing[1]}: is missing"
    if missing := re.search(r"missing required field `([^`]+)`", message):
        return f"{name}.{missing[1]}: is missing"
    problem = _PATH.sub("", message)
    if name.endswith("currency") and "regex" in problem:
        problem = "must be a three-letter code of ISO 4217, like EUR"
    elif name.endswith("order_id") and "regex" in problem:
        problem = "must be the order's id; it is empty"
    elif name.endswith("_minor") and problem.startswith("Expected `int"):
        problem += "; send minor units, like 1250 for 12.50"
    return f"{name or 'body'}: {problem}"
