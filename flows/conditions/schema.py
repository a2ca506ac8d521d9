"""The JSON Schema of conditions, for whoever draws a builder."""

from __future__ import annotations

from typing import Any, Final

from flows.conditions.document import FIELD_NAME, LONGEST_NAME, MOST_ARGS
from flows.conditions.fields import OPERATORS, Field, Fields, Type
from flows.conditions.tree import (
    LARGEST_NUMBER,
    LONGEST_DURATION,
    LONGEST_TEXT,
    MOST_CHECKS,
    MOST_VALUES,
    WITH_LIST,
    WITHOUT_VALUE,
    Op,
)
from flows.conditions.words import WORDS

_ONE: Final = [op.value for op in Op if op not in WITH_LIST and op not in WITHOUT_VALUE]


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


VALUES: Final[dict[Type, dict[str, Any]]] = {
    Type.BOOLEAN: {"type": "boolean"},
    Type.INTEGER: {"type": "integer", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER},
    Type.NUMBER: {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER},
    Type.MONEY: _object(minor={"type": "integer"}, currency={"type": "string", "pattern": "^[A-Z]{3}$"}),
    Type.TEXT: {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
    Type.CHOICE: {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
    Type.SET: {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
    Type.TIME: _object(at={"type": "string", "format": "date-time"}),
    Type.DURATION: _object(seconds={"type": "integer", "minimum": 0, "maximum": int(LONGEST_DURATION.total_seconds())}),
    Type.CLOCK: _object(clock={"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
}
"""Type → the JSON form of one value to compare with."""


def json_schema() -> dict[str, Any]:
    """The JSON form of every condition (draft 2020-12). Whether a field exists is not part of it: see the fields."""
    condition = {"$ref": "#/$defs/condition"}
    group = {"type": "array", "items": condition, "minItems": 1, "maxItems": MOST_CHECKS}
    name = {"type": "string", "pattern": f"^{FIELD_NAME.pattern}$", "maxLength": LONGEST_NAME}
    args = {"type": "array", "items": {"$ref": "#/$defs/value"}, "maxItems": MOST_ARGS}
    several = {"type": "array", "items": {"$ref": "#/$defs/value"}, "minItems": 1, "maxItems": MOST_VALUES}

    def check(ops: list[str], **value: Any) -> dict[str, Any]:
        properties: dict[str, Any] = {"field": name, "args": args, "op": {"enum": ops}, **value}
        required = [key for key in properties if key != "args"]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Condition",
        **condition,
        "$defs": {
            "condition": {
                "oneOf": [
                    {"title": "all are true", **_object(all=group)},
                    {"title": "one is true", **_object(any=group)},
                    {"title": "is false", **_object(**{"not": condition})},
                    {"title": "compares with a value", **check(_ONE, value={"$ref": "#/$defs/value"})},
                    {
                        "title": "compares with several",
                        **check([op.value for op in Op if op in WITH_LIST], value=several),
                    },
                    {"title": "is it known", **check([op.value for op in Op if op in WITHOUT_VALUE])},
                ]
            },
            "value": {
                "anyOf": [VALUES[t] for t in (Type.BOOLEAN, Type.NUMBER, Type.TEXT, Type.MONEY)]
                + [VALUES[t] for t in (Type.DURATION, Type.TIME, Type.CLOCK)]
            },
        },
    }


def field_document(field: Field) -> dict[str, Any]:
    """A field as a builder needs it: its type, the operators it takes, its words and its arguments."""
    document: dict[str, Any] = {
        "name": field.name,
        "type": field.type.value,
        "says": field.says,
        "operators": [op.value for op in field.operators],
        "params": [
            {
                "name": param.name,
                "type": param.type.value,
                "says": param.says,
                "optional": param.optional,
                **({"choices": list(param.choices)} if param.choices else {}),
            }
            for param in field.params
        ],
        "places": sorted(field.places),
    }
    for key, value in (("choices", field.choices), ("suggests", field.suggests)):
        if value:
            document[key] = list(value)
    for key, bound in (("least", field.least), ("most", field.most)):
        if bound is not None:
            document[key] = bound
    return document


def fields_document(fields: Fields, place: str | None = None) -> dict[str, Any]:
    """All fields (those known in ``place``), the operators with their words, and which types take which."""
    shown = [field for field in fields if place is None or not field.places or place in field.places]
    return {
        "fields": [field_document(field) for field in shown],
        "places": dict(fields.place_words),
        "operators": [
            {
                "name": op.value,
                "text": WORDS[op],
                "takes": "nothing" if op in WITHOUT_VALUE else "a list" if op in WITH_LIST else "a value",
            }
            for op in Op
        ],
        "types": {
            kind.value: {"operators": [op.value for op in OPERATORS[kind]], "value": VALUES[kind]} for kind in Type
        },
    }
