"""Decides what of an event may be shown to a model outside: an allow-list of fields, with people masked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_TEXT_FIELDS = frozenset(
    {
        "category", "currency", "field", "form", "kind", "last_field", "message", "method", "name", "product_id",
        "query", "reason", "role", "section", "selector", "status", "step", "text", "title", "label", "action",
    }
)  # fmt: skip
_NUMBER_FIELDS = frozenset(
    {
        "accepted", "away_ms", "cart_value_minor", "count", "depth", "fields", "filled", "first_input_ms", "focused_ms",
        "ms", "price_minor", "quantity", "refocused", "results", "status", "value_minor",
    }
)  # fmt: skip
_PATH_FIELDS = frozenset({"path", "from", "to", "href", "source"})
_SILENT_TYPES = frozenset({"identified", "consent_changed", "custom"})

_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_LONG_NUMBER = re.compile(r"\+?\d(?:[\s().-]?\d){6,}")
_IDENTIFIER = re.compile(r"^(?:\d+|[0-9a-fA-F-]{16,}|[A-Za-z0-9_-]{24,})$")
MAX_TEXT = 160


def redact_props(type: str, props: Mapping[str, Any]) -> dict[str, Any]:
    """The props that may leave: known harmless fields, shortened, without e-mail addresses and long numbers.

    Who a visitor is, what they consented to and a shop's own custom events never leave.
    """
    if type in _SILENT_TYPES:
        return {}
    kept: dict[str, Any] = {}
    for name, value in props.items():
        if name in _PATH_FIELDS and isinstance(value, str):
            kept[name] = redact_path(value)
        elif name in _TEXT_FIELDS and isinstance(value, str):
            kept[name] = mask(value)
        elif name in _NUMBER_FIELDS and isinstance(value, int | float):
            kept[name] = value
    return kept


def redact_path(url: str) -> str:
    """The path of a URL without query and fragment, its identifiers replaced by ``:id``."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ":unreadable"
    parts = [":id" if _IDENTIFIER.match(part) else mask(part) for part in path.split("/")]
    return "/".join(parts)[:MAX_TEXT]


def mask(text: str) -> str:
    """``text`` on one line, at most MAX_TEXT characters, with e-mail addresses and long numbers masked."""
    flat = " ".join(text.split())[: 4 * MAX_TEXT]
    return _LONG_NUMBER.sub("[number]", _EMAIL.sub("[email]", flat))[:MAX_TEXT]
