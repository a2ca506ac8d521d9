"""Facts: the values of the fields that a condition asks about, gathered before it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from flows.conditions.evaluate import Compiled, Explanation, Known
from flows.conditions.fields import Fields, Type
from flows.conditions.tree import Condition, Money, Value, checks_of, misfit

Asked = tuple[str, tuple[Value, ...]]
"""A field's name and its arguments."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at ``now``; a field that is not in ``values`` is unknown."""

    values: Mapping[Asked, Known]
    now: datetime


class FactsSource:
    """Reads fields from facts. A value that is not of its field's type is unknown: facts come from outside."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def reader(self, field: str, args: tuple[Value, ...]) -> Callable[[Facts], Any]:
        known = self._fields.get(field)
        if known is None:
            return lambda facts: None
        key, wanted = (field, args), known.type
        return lambda facts: of_type(facts.values.get(key), wanted)

    def now(self, subject: Facts) -> datetime:
        return subject.now


def explain(condition: Condition, fields: Fields, facts: Facts) -> Explanation:
    """Evaluates a condition once, with its explanation."""
    return Compiled(condition, fields, FactsSource(fields)).explain(facts)


def asked_by(conditions: Iterable[Condition]) -> set[Asked]:
    """Every field that the conditions ask about: what has to be gathered."""
    return {(check.field, check.args) for condition in conditions for _, check in checks_of(condition)}


def of_type(value: Any, wanted: Type) -> Known | None:
    """The value if it is of that type, else None."""
    fits = _IS[wanted](value) if value is not None else False
    return value if fits else None


def _is_set(value: Any) -> bool:
    return isinstance(value, frozenset | set) and all(isinstance(one, str) for one in value)


_IS: Final[dict[Type, Callable[[Any], bool]]] = {
    Type.BOOLEAN: lambda value: isinstance(value, bool),
    Type.INTEGER: lambda value: type(value) is int,
    Type.NUMBER: lambda value: type(value) in (int, float) and misfit(value) is None,
    Type.MONEY: lambda value: isinstance(value, Money),
    Type.TEXT: lambda value: isinstance(value, str),
    Type.CHOICE: lambda value: isinstance(value, str),
    Type.SET: _is_set,
    Type.TIME: lambda value: isinstance(value, datetime) and value.tzinfo is not None,
    Type.DURATION: lambda value: isinstance(value, timedelta),
    Type.CLOCK: lambda value: isinstance(value, time) and value.tzinfo is None,
}
