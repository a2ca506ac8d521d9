"""Writes a condition as people read it; ``text.parse`` reads it back to the same condition."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Final

from flows.conditions.amounts import to_text
from flows.conditions.tree import All, AnyOf, Check, Condition, Money, Not, Op, Value

WORDS: Final[dict[Op, str]] = {
    Op.EQ: "=",
    Op.NE: "!=",
    Op.LT: "<",
    Op.LE: "<=",
    Op.GT: ">",
    Op.GE: ">=",
    Op.IN: "in",
    Op.NOT_IN: "not in",
    Op.CONTAINS: "contains",
    Op.STARTS_WITH: "starts with",
    Op.ENDS_WITH: "ends with",
    Op.HAS: "has",
    Op.HAS_ANY: "has any",
    Op.HAS_ALL: "has all",
    Op.WITHIN: "within",
    Op.OLDER_THAN: "older than",
    Op.KNOWN: "is known",
    Op.UNKNOWN: "is unknown",
}
"""Operator → how it is written in the text form."""

UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""Seconds of each letter of a duration."""


def to_words(condition: Condition) -> str:
    """The text form. ``parse`` of it is the same condition."""
    match condition:
        case All(parts):
            return " and ".join(_inside(part) for part in parts)
        case AnyOf(parts):
            return " or ".join(_inside(part) for part in parts)
        case Not(part):
            return f"not {_inside(part)}"
        case Check():
            asked = asked_words(condition.field, condition.args)
            words = f"{asked} {WORDS[condition.op]}"
            if isinstance(condition.value, tuple):
                return f"{words} ({', '.join(value_words(value) for value in condition.value)})"
            return words if condition.value is None else f"{words} {value_words(condition.value)}"


def asked_words(name: str, args: tuple[Value, ...]) -> str:
    """A field with its arguments: ``events.purchased.count(7d)``."""
    return f"{name}({', '.join(value_words(value) for value in args)})" if args else name


def value_words(value: Value) -> str:
    """A value as it is written in the text form."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case Money(minor, currency):
            return to_text(minor, currency)
        case timedelta():
            return _duration_words(round(value.total_seconds()))
        case datetime():
            at = value.astimezone(UTC).replace(tzinfo=None)
            if at.time() == time():
                return at.date().isoformat()
            return at.isoformat(timespec="minutes" if not (at.second or at.microsecond) else "auto") + "Z"
        case time():
            return value.isoformat("minutes")


def _inside(part: Condition) -> str:
    return to_words(part) if isinstance(part, Check) else f"({to_words(part)})"


def _duration_words(seconds: int) -> str:
    words = ""
    for unit in "dhm":
        count, seconds = divmod(seconds, UNITS[unit])
        words += f"{count}{unit}" if count else ""
    return words + (f"{seconds}s" if seconds or not words else "")
