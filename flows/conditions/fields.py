"""Fields: what a condition may ask about, of which type, and with which operators. Who uses conditions says which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from flows.conditions.tree import Money, Op, Value


class Type(StrEnum):
    """What a field holds."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    TEXT = "text"
    CHOICE = "choice"
    SET = "set"
    TIME = "time"
    DURATION = "duration"
    CLOCK = "clock"


_ORDER: Final = (Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE)
_AMONG: Final = (Op.EQ, Op.NE, Op.IN, Op.NOT_IN)
_ALWAYS: Final = (Op.KNOWN, Op.UNKNOWN)

OPERATORS: Final[dict[Type, tuple[Op, ...]]] = {
    Type.BOOLEAN: (Op.EQ, Op.NE, *_ALWAYS),
    Type.INTEGER: (*_ORDER, Op.IN, Op.NOT_IN, *_ALWAYS),
    Type.NUMBER: (*_ORDER, Op.IN, Op.NOT_IN, *_ALWAYS),
    Type.MONEY: (*_ORDER, *_ALWAYS),
    Type.TEXT: (*_AMONG, Op.CONTAINS, Op.STARTS_WITH, Op.ENDS_WITH, *_ALWAYS),
    Type.CHOICE: (*_AMONG, *_ALWAYS),
    Type.SET: (Op.HAS, Op.HAS_ANY, Op.HAS_ALL, *_ALWAYS),
    Type.TIME: (Op.LT, Op.LE, Op.GT, Op.GE, Op.WITHIN, Op.OLDER_THAN, *_ALWAYS),
    Type.DURATION: (*_ORDER, *_ALWAYS),
    Type.CLOCK: (Op.LT, Op.LE, Op.GT, Op.GE, *_ALWAYS),
}
"""Type → the operators that make sense for it."""


@dataclass(frozen=True, slots=True)
class Param:
    """One argument of a field, in its place. ``choices``: the only texts it may be. Optional ones come last."""

    name: str
    type: Type
    says: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """Something that may be asked about. ``choices`` belong to CHOICE (and to SET, where its members are closed).

    ``least`` and ``most`` bound a number: a comparison beyond them could never change its answer. ``places`` names
    where the field is known; an empty set is everywhere. ``suggests`` are members a SET has now, for whoever draws a
    builder; others are allowed.
    """

    name: str
    type: Type
    says: str
    choices: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    least: float | None = None
    most: float | None = None
    places: frozenset[str] = frozenset()
    suggests: tuple[str, ...] = ()

    @property
    def operators(self) -> tuple[Op, ...]:
        """What may be asked of it."""
        return OPERATORS[self.type]


class Fields:
    """The fields that conditions of one kind of user may ask about: a registry by name. Pure, never changed."""

    def __init__(self, fields: Iterable[Field], place_words: Mapping[str, str] | None = None) -> None:
        self._by_name: dict[str, Field] = {}
        for field in fields:
            if field.name in self._by_name:
                raise ValueError(f"There are two fields {field.name}.")
            self._by_name[field.name] = field
        self.place_words = dict(place_words or {})

    def __iter__(self) -> Iterator[Field]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> Field | None:
        """The field of that name, if there is one."""
        return self._by_name.get(name)

    def names(self, place: str | None = None) -> list[str]:
        """All names; with ``place`` those known there."""
        return [field.name for field in self if place is None or not field.places or place in field.places]


EXAMPLES: Final[dict[Type, str]] = {
    Type.BOOLEAN: "true or false",
    Type.INTEGER: "a whole number such as 3",
    Type.NUMBER: "a number such as 3 or 0.5",
    Type.MONEY: "an amount with its currency such as 50.00 EUR",
    Type.TEXT: 'a text in double quotes such as "shoes"',
    Type.CHOICE: "one of its words",
    Type.SET: 'a text in double quotes such as "vip"',
    Type.TIME: "a date such as 2026-11-21 or 2026-11-21T09:00Z",
    Type.DURATION: "a duration such as 30m or 7d",
    Type.CLOCK: "a time of day such as 09:30",
}


def type_of(value: Value) -> Type:
    """The type that a value is written in; a text may also be one of a CHOICE, or a member of a SET."""
    match value:
        case bool():
            return Type.BOOLEAN
        case int():
            return Type.INTEGER
        case float():
            return Type.NUMBER
        case Money():
            return Type.MONEY
        case timedelta():
            return Type.DURATION
        case datetime():
            return Type.TIME
        case time():
            return Type.CLOCK
        case _:
            return Type.TEXT
