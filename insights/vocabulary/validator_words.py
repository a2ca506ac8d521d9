"""What an error of the validator (pydantic) asks for, in the words of whoever fills in a form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WRITTEN_AS: Final = {
    "bool": "write true or false",
    "datetime": 'write a time such as "2026-11-22T09:00:00Z"',
    "date": 'write a day such as "2026-11-22"',
    "time_delta": 'write a duration such as "PT1H" (an hour) or "P2D" (two days)',
    "time": 'write a time of day such as "09:30"',
    "int": "write a whole number",
    "float": "write a number",
    "finite_number": "write a number",
    "string": "write a text",
    "list": "give a list",
    "dict": 'give an object, such as {"name": "value"}',
    "model": 'give an object, such as {"name": "value"}',
    "uuid": "give an id of 32 hexadecimal digits",
}
"""How each type is written, by what the names of its errors begin with."""

_BOUNDS: Final = {
    "greater_than_equal": ("ge", "write at least {}"),
    "less_than_equal": ("le", "write at most {}"),
    "greater_than": ("gt", "write more than {}"),
    "less_than": ("lt", "write less than {}"),
}


def bound(error: Mapping[str, Any]) -> str | None:
    """What to write instead of a number or duration that is out of range; None for any other error."""
    kept, says = _BOUNDS.get(error["type"], ("", ""))
    if not kept:
        return None
    end = error["ctx"][kept]
    return says.format(int(end) if isinstance(end, float) and end.is_integer() else end)


def length(error: Mapping[str, Any]) -> str | None:
    """How long a text or a list may be, where it is not; None for any other error."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind not in ("too_short", "too_long", "string_too_short", "string_too_long"):
        return None
    side, most = ("at most", context["max_length"]) if kind.endswith("long") else ("at least", context["min_length"])
    if not kind.startswith("string") and context.get("field_type") != "Value":  # a secret is a text, too
        return f"give {side} {most}"
    return f"write {side} {most} character{'' if most == 1 else 's'}"


def written_as(error: Mapping[str, object]) -> str | None:
    """How a value of the type that is asked for is written; None where the type is not what is wrong."""
    return next((says for begin, says in _WRITTEN_AS.items() if str(error["type"]).startswith(f"{begin}_")), None)


def asked(error: Mapping[str, Any]) -> str:
    """What an error asks for, in a few words without a capital letter; the validator's own where there are none."""
    match error["type"]:
        case "missing":
            return "it is missing"
        case "extra_forbidden":
            return "there is no such field"
        case "literal_error" | "enum":
            return f"use {error['ctx']['expected']}"
        case "string_pattern_mismatch":
            return f"it must match {error['ctx']['pattern']}"
    return bound(error) or length(error) or written_as(error) or str(error["msg"]).removeprefix("Value error, ")
