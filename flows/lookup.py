"""Looks something up in the nested facts of a trigger or a visitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lookup(facts: Mapping[str, object], path: str) -> Any:
    """What stands at a dotted path, or None."""
    value: Any = facts
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
