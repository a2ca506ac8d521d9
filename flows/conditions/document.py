"""The JSON form of a condition: read with everything wrong found at once, written, and described as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from flows.conditions.faults import ConditionInvalid, did_you_mean
from flows.conditions.tree import (
    MOST_CHECKS,
    MOST_DEPTH,
    MOST_VALUES,
    WITH_LIST,
    WITHOUT_VALUE,
    All,
    AnyOf,
    Check,
    Condition,
    Money,
    Not,
    Op,
    Value,
    misfit,
)
from flows.errors import Fault

FIELD_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*")
LONGEST_NAME: Final = 100
MOST_ARGS: Final = 4
MOST_FAULTS: Final = 100
"""Told at once."""
RESERVED: Final = frozenset(
    (
        *("and", "or", "not", "true", "false", "is", "known", "unknown", "in", "has", "any", "all"),
        *("contains", "starts", "ends", "with", "within", "older", "than"),
    )
)
"""Words of the text form."""
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_KINDS: Final = ("all", "any", "not", "field")


def read(document: object) -> Condition:
    """The condition that a JSON document stands for. Raises ConditionInvalid with every fault and its pointer."""
    return read_with_origins(document)[0]


def read_with_origins(document: object) -> tuple[Condition, dict[str, str]]:
    """``read``, and for each node of the condition (its pointer) the pointer it has in ``document``.

    They differ below a group of one part, which is read as that part.
    """
    reader = _Reader()
    condition = reader.condition(document, "", "", 0)
    if reader.checks > MOST_CHECKS:
        reader.fault("", f"has {reader.checks} checks", f"use at most {MOST_CHECKS}; move a part into a segment")
    if reader.faults or condition is None:
        raise ConditionInvalid(reader.faults)
    return condition, reader.origins


def write(condition: Condition) -> dict[str, Any]:
    """The JSON form. ``read`` of it gives the same condition."""
    match condition:
        case All(parts):
            return {"all": [write(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [write(part) for part in parts]}
        case Not(part):
            return {"not": write(part)}
        case Check():
            document: dict[str, Any] = {"field": condition.field}
            if condition.args:
                document["args"] = [write_value(value) for value in condition.args]
            document["op"] = condition.op.value
            if isinstance(condition.value, tuple):
                document["value"] = [write_value(value) for value in condition.value]
            elif condition.value is not None:
                document["value"] = write_value(condition.value)
            return document


def write_value(value: Value) -> Any:
    """A value as JSON: what JSON has no type for is an object with one telling key (money with two)."""
    match value:
        case bool() | int() | float() | str():
            return value
        case Money(minor, currency):
            return {"minor": minor, "currency": currency}
        case timedelta():
            return {"seconds": round(value.total_seconds())}
        case datetime():
            return {"at": value.astimezone(UTC).isoformat().replace("+00:00", "Z")}
        case time():
            return {"clock": value.isoformat("minutes")}


def is_field_name(name: object) -> bool:
    """Whether a field may be called that: words of small letters joined by dots, not a word of the language."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME or name in RESERVED:
        return False
    return FIELD_NAME.fullmatch(name) is not None


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.checks = 0
        self.origins: dict[str, str] = {}

    def fault(self, pointer: str, problem: str, fix: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(pointer, problem, fix))

    def condition(self, document: object, pointer: str, own: str, depth: int) -> Condition | None:
        """``pointer``: where this stands in the document; ``own``: where it will stand in the condition."""
        self.origins[own] = pointer
        if depth > MOST_DEPTH:
            self.fault(pointer, "is nested too deeply", f"use at most {MOST_DEPTH} levels of all, any and not")
            return None
        if not isinstance(document, dict):
            self.fault(pointer, "is not a condition", 'write an object such as {"field": …, "op": …, "value": …}')
            return None
        kinds = [kind for kind in _KINDS if kind in document]
        if len(kinds) != 1:
            which = " and ".join(kinds) if kinds else "none of them"
            self.fault(pointer, f"names {which}", "give exactly one of: all, any, not, field")
            return None
        if kinds == ["field"]:
            return self.check(document, pointer)
        (kind,) = kinds
        self.unknown_keys(document, pointer, (kind,))
        if kind == "not":
            part = self.condition(document["not"], f"{pointer}/not", f"{own}/not", depth + 1)
            return None if part is None else Not(part)
        return self.group(kind, document[kind], f"{pointer}/{kind}", own, depth)

    def group(self, kind: str, documents: object, pointer: str, own: str, depth: int) -> Condition | None:
        if not isinstance(documents, list) or not documents:
            self.fault(pointer, "is not a list of conditions", "write a list of two or more conditions")
            return None
        if len(documents) > MOST_CHECKS:
            self.fault(pointer, f"has {len(documents)} parts", f"use at most {MOST_CHECKS}; move a part into a segment")
            return None
        single = len(documents) == 1
        read_ones = [
            self.condition(one, f"{pointer}/{index}", own if single else f"{own}/{kind}/{index}", depth + 1)
            for index, one in enumerate(documents)
        ]
        parts = tuple(part for part in read_ones if part is not None)
        if len(parts) < len(documents):
            return None
        if len(parts) == 1:
            return parts[0]
        return All(parts) if kind == "all" else AnyOf(parts)

    def check(self, document: dict[str, Any], pointer: str) -> Check | None:
        self.checks += 1
        before = len(self.faults)
        self.unknown_keys(document, pointer, ("field", "args", "op", "value"))
        name = document["field"]
        if not is_field_name(name):
            self.fault(f"{pointer}/field", "is not the name of a field", "write a name such as cart.value")
        op = self.op(document.get("op"), f"{pointer}/op")
        args = self.values(document.get("args", []), f"{pointer}/args", most=MOST_ARGS, least=0)
        value: Any = None
        where = f"{pointer}/value"
        if op in WITHOUT_VALUE:
            if document.get("value") is not None:
                self.fault(where, f"{op} takes no value", "leave it out")
        elif op is not None:
            if "value" not in document:
                self.fault(where, "is missing", f"say what {op} compares with")
            elif op in WITH_LIST:
                value = self.values(document["value"], where, most=MOST_VALUES, least=1)
            else:
                value = self.value(document["value"], where)
        if len(self.faults) > before or op is None:
            return None
        return Check(name, op, value, args)

    def op(self, word: Any, pointer: str) -> Op | None:
        try:
            return Op(word)
        except ValueError:
            shown = f"{word!r:.40} is not an operator" if word is not None else "is missing"
            self.fault(pointer, shown, did_you_mean(str(word), [op.value for op in Op]))
            return None

    def values(self, documents: object, pointer: str, *, most: int, least: int) -> tuple[Value, ...]:
        if not isinstance(documents, list) or not least <= len(documents) <= most:
            self.fault(pointer, "is not a list that fits", f"write a list of {least} to {most} values")
            return ()
        found = [self.value(one, f"{pointer}/{index}") for index, one in enumerate(documents)]
        return tuple(value for value in found if value is not None)

    def value(self, document: object, pointer: str) -> Value | None:
        value = document if isinstance(document, bool | int | float | str) else self.special(document)
        if value is None:
            self.fault(
                pointer,
                "is not a value",
                'write true, false, a number, a text, {"minor": 5000, "currency": "EUR"}, {"seconds": 3600}, '
                '{"at": "2026-11-21T09:00:00Z"} or {"clock": "09:30"}',
            )
        elif why := misfit(value):
            self.fault(pointer, why, "use a value that fits")
            return None
        return value

    def special(self, document: object) -> Value | None:
        if not isinstance(document, dict):
            return None
        read_one = _SPECIALS.get(frozenset(document))
        try:
            return read_one(document) if read_one is not None else None
        except (TypeError, ValueError, OverflowError):
            return None

    def unknown_keys(self, document: dict[str, Any], pointer: str, known: tuple[str, ...]) -> None:
        for key in list(document)[: len(known) + 5]:
            if key not in known:
                self.fault(f"{pointer}/{_escaped(key)}", "does not belong here", did_you_mean(key, known))


def _escaped(key: str) -> str:
    return key[:80].replace("~", "~0").replace("/", "~1")


def _money(document: dict[str, Any]) -> Money | None:
    minor, currency = document["minor"], document["currency"]
    fits = type(minor) is int and isinstance(currency, str) and _CURRENCY.fullmatch(currency)
    return Money(minor, currency) if fits else None


def _seconds(document: dict[str, Any]) -> timedelta | None:
    seconds = document["seconds"]
    return timedelta(seconds=seconds) if type(seconds) is int else None


def _at(document: dict[str, Any]) -> datetime | None:
    at = datetime.fromisoformat(document["at"])
    return at.astimezone(UTC) if at.tzinfo is not None else None


def _clock(document: dict[str, Any]) -> time | None:
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", document["clock"])
    return time(int(found[1]), int(found[2])) if found else None


_SPECIALS: Final[dict[frozenset[str], Callable[[dict[str, Any]], Value | None]]] = {
    frozenset({"minor", "currency"}): _money,
    frozenset({"seconds"}): _seconds,
    frozenset({"at"}): _at,
    frozenset({"clock"}): _clock,
}
