"""The tree of a condition: what both the JSON and the text form stand for, and how large it may be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

MOST_DEPTH: Final = 12
"""Levels of all, any and not. Everything that walks a tree may recurse this deep."""
MOST_CHECKS: Final = 100
MOST_VALUES: Final = 100
LONGEST_TEXT: Final = 200
LARGEST_NUMBER: Final = 2**53
LONGEST_DURATION: Final = timedelta(days=3660)


class Op(StrEnum):
    """What a check asks of a field."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    HAS = "has"
    HAS_ANY = "has_any"
    HAS_ALL = "has_all"
    WITHIN = "within"
    OLDER_THAN = "older_than"
    KNOWN = "known"
    UNKNOWN = "unknown"


WITHOUT_VALUE: Final = frozenset({Op.KNOWN, Op.UNKNOWN})
WITH_LIST: Final = frozenset({Op.IN, Op.NOT_IN, Op.HAS_ANY, Op.HAS_ALL})


@dataclass(frozen=True, slots=True)
class Money:
    """Integer minor units with an ISO 4217 code."""

    minor: int
    currency: str


Value = bool | int | float | str | Money | timedelta | datetime | time
"""timedelta: a duration in whole seconds; datetime: aware, UTC; time: a time of day without a zone."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question about one field. ``args`` narrow the field (``events.purchased.count(7d)``).

    ``value`` is one value, a tuple of values for the operators of ``WITH_LIST``, None for those of ``WITHOUT_VALUE``.
    """

    field: str
    op: Op
    value: Value | tuple[Value, ...] | None = None
    args: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class All:
    """True when each of its two or more parts is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when one of its two or more parts is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is false; unknown when its part is unknown."""

    part: Condition


Condition = Check | All | AnyOf | Not


def checks_of(condition: Condition, pointer: str = "") -> Iterator[tuple[str, Check]]:
    """Every check with its JSON pointer, in reading order."""
    for where, node in nodes_of(condition, pointer):
        if isinstance(node, Check):
            yield where, node


def nodes_of(condition: Condition, pointer: str = "") -> Iterator[tuple[str, Condition]]:
    """Every node with its JSON pointer, a parent before its parts."""
    yield pointer, condition
    match condition:
        case All(parts):
            for index, part in enumerate(parts):
                yield from nodes_of(part, f"{pointer}/all/{index}")
        case AnyOf(parts):
            for index, part in enumerate(parts):
                yield from nodes_of(part, f"{pointer}/any/{index}")
        case Not(part):
            yield from nodes_of(part, f"{pointer}/not")


def misfit(value: object) -> str | None:
    """Why a value cannot stand in a condition, whatever field it is compared with; None when it can."""
    match value:
        case bool():
            return None
        case int():
            return None if abs(value) <= LARGEST_NUMBER else "is too large a number"
        case float():
            return None if math.isfinite(value) and abs(value) <= LARGEST_NUMBER else "is too large a number"
        case str():
            return _misfit_text(value)
        case Money():
            return None if abs(value.minor) <= LARGEST_NUMBER else "is too large an amount"
        case timedelta():
            return None if timedelta(0) <= value <= LONGEST_DURATION else "is no duration between 0 s and ten years"
    return None


def _misfit_text(text: str) -> str | None:
    if not text:
        return "is empty"
    if len(text) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT} characters"
    # NUL and half of a surrogate pair cannot be stored; the others cannot be seen.
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in text):
        return "holds a character that cannot be stored or seen"
    return None
