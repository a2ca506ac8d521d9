"""Says in words what a JSON Schema takes: types as links to their shapes, and the bounds of a value. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape

Schema = dict[str, Any]

_CODE: Final = re.compile(r"(``.+?``|`.+?`)")
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters at most",
    "minItems": "{} or more of them",
    "maxItems": "{} of them at most",
    "maxProperties": "{} names at most",
    "pattern": "matches {}",
}


def prose(text: str) -> Markup:
    """A description as paragraphs, what stands in backticks as code."""
    parts = re.split(r"\n\s*\n", text.strip())
    return Markup("").join(Markup("<p>{}</p>").format(_coded(part)) for part in parts if part)


def _coded(text: str) -> Markup:
    parts = [
        Markup("<code>{}</code>").format(part.strip("`")) if place % 2 else escape(part)
        for place, part in enumerate(_CODE.split(text))
    ]
    return Markup("").join(parts)


def type_of(schema: Schema) -> Markup:
    """What a value may be, in words: ``list of RunOut``, ``string (uuid) or null``."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return Markup('<a href="#shape-{0}">{0}</a>').format(name)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return Markup(" or ").join(dict.fromkeys(type_of(one) for one in schema[word]))
    if "const" in schema or "enum" in schema:
        return Markup(" | ").join(_json(one) for one in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return Markup(" or ").join(type_of({**schema, "type": one}) for one in kind)
    if kind == "array":
        return Markup("list of {}").format(type_of(schema.get("items", {})))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(type_of(schema["additionalProperties"]))
    return escape(f"{kind} ({schema['format']})" if "format" in schema else kind)


def bounds(schema: Schema) -> Markup:
    """Its default and its bounds, those of its alternatives among them; empty without any."""
    said = [Markup("{} unless given").format(_json(schema["default"]))] if schema.get("default") is not None else []
    for one in [schema, *schema.get("anyOf", [])]:
        said += [escape(words.format(one[name])) for name, words in _BOUNDS.items() if name in one]
    return Markup(", ").join(said)


def _json(value: Any) -> Markup:
    return Markup("<code>{}</code>").format(msgspec.json.encode(value).decode())
