"""Whether a condition makes sense: fields, operators and values that fit one another. Finds everything at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flows.conditions.faults import did_you_mean
from flows.conditions.fields import EXAMPLES, Field, Fields, Param, Type, type_of
from flows.conditions.tree import WITH_LIST, WITHOUT_VALUE, Check, Condition, Op, Value, checks_of
from flows.conditions.words import WORDS, value_words
from flows.errors import Fault

_A_TEXT: Final = frozenset({Type.TEXT, Type.CHOICE, Type.SET})
_ORDERED: Final = frozenset({Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE, Op.IN, Op.NOT_IN})


def type_faults(condition: Condition, fields: Fields, place: str | None = None) -> list[Fault]:
    """Everything in a condition that does not fit its fields; ``place``: where it will be evaluated, None for any."""
    return [fault for pointer, check in checks_of(condition) for fault in _faults(pointer, check, fields, place)]


def _faults(pointer: str, check: Check, fields: Fields, place: str | None) -> Iterator[Fault]:
    field = fields.get(check.field)
    if field is None:
        yield Fault(f"{pointer}/field", f"there is no field {check.field}", _similar(check.field, fields, place))
        return
    if place is not None and field.places and place not in field.places:
        known = ", ".join(sorted(fields.place_words.get(name, name) for name in field.places))
        here = fields.place_words.get(place, place)
        yield Fault(f"{pointer}/field", f"{field.name} is not known in {here}", f"it is known in: {known}")
    yield from _args_faults(pointer, check.args, field)
    if check.op not in field.operators:
        usable = ", ".join(WORDS[op] for op in field.operators)
        yield Fault(f"{pointer}/op", f"{WORDS[check.op]} does not go with {_named(field)}", f"use one of: {usable}")
    elif check.op not in WITHOUT_VALUE:
        yield from _value_faults(f"{pointer}/value", check, field)


def _similar(name: str, fields: Fields, place: str | None) -> str:
    fix = did_you_mean(name, fields.names(place))
    return fix if fix.startswith("did") else "GET /v1/conditions/fields lists all of them"


def _named(field: Field) -> str:
    return f"{field.name}, which is {_A[field.type]}"


_A: Final[dict[Type, str]] = {
    Type.BOOLEAN: "true or false",
    Type.INTEGER: "a whole number",
    Type.NUMBER: "a number",
    Type.MONEY: "an amount of money",
    Type.TEXT: "a text",
    Type.CHOICE: "one of a few words",
    Type.SET: "a set of texts",
    Type.TIME: "a point in time",
    Type.DURATION: "a duration",
    Type.CLOCK: "a time of day",
}


def _args_faults(pointer: str, args: tuple[Value, ...], field: Field) -> Iterator[Fault]:
    least = sum(not param.optional for param in field.params)
    where = f"{pointer}/args"
    if not least <= len(args) <= len(field.params):
        yield Fault(where, f"{field.name} is not written with {len(args)} arguments", f"write {signature(field)}")
        return
    for index, (value, param) in enumerate(zip(args, field.params, strict=False)):
        if (problem := _unlike(value, param.type, param.choices)) is not None:
            fix = _fix(value, param)
            yield Fault(f"{where}/{index}", f"{param.name} {problem}", fix)


def signature(field: Field) -> str:
    """How a field is written, its arguments by name: ``events.purchased.count([window])``."""
    if not field.params:
        return field.name
    names = ", ".join(f"[{param.name}]" if param.optional else param.name for param in field.params)
    return f"{field.name}({names})"


def _value_faults(pointer: str, check: Check, field: Field) -> Iterator[Fault]:
    wanted = Param(
        field.name,
        Type.DURATION if check.op in (Op.WITHIN, Op.OLDER_THAN) else field.type,
        choices=field.choices if check.op in _ORDERED or field.type is Type.SET else (),
    )
    listed = check.op in WITH_LIST
    values = check.value if isinstance(check.value, tuple) else (check.value,)
    for index, value in enumerate(values):
        if value is None:
            continue
        where = f"{pointer}/{index}" if listed else pointer
        if (problem := _unlike(value, wanted.type, wanted.choices)) is not None:
            yield Fault(where, f"{value_words(value)[:60]} {problem}", _fix(value, wanted))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            low, high = field.least, field.most
            if (low is not None and value < low) or (high is not None and value > high):
                bounds = (
                    f"between {low:g} and {high:g}"
                    if low is not None and high is not None
                    else (f"at least {low:g}" if low is not None else f"at most {high:g}")
                )
                yield Fault(where, f"{field.name} can never be {value_words(value)}", f"use a number {bounds}")


def _unlike(value: Value, wanted: Type, choices: tuple[str, ...]) -> str | None:
    """Why a value is not of a type, to go on after the value's name; None when it is."""
    found = type_of(value)
    if wanted in _A_TEXT:
        fits = found is Type.TEXT
    elif wanted is Type.NUMBER:
        fits = found in (Type.NUMBER, Type.INTEGER)
    else:
        fits = found is wanted
    if not fits:
        return f"is {_A[found]}, not {_A[wanted] if wanted is not Type.SET else 'a text'}"
    return "is not one of its words" if choices and value not in choices else None


def _fix(value: Value, param: Param) -> str:
    if param.choices:
        return did_you_mean(str(value), param.choices)
    return f"write {EXAMPLES[param.type]}"
