"""Reads a whole body that somebody sent as JSON."""

from __future__ import annotations

import json
from typing import Any, Final

from insights.errors import Refused

MOST_LEVELS: Final = 200
"""More than anybody sends, and less than any Python stops at: 3.11 reads some hundred levels, 3.13 ten thousand, and
whatever walks through a value later takes a level of Python's own stack for each."""


def parsed(body: bytes) -> Any:
    """What the JSON in ``body`` says. Raises Refused."""
    try:
        value = json.loads(body)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Refused(f"The body is not JSON: {error}.", field="body") from None
    level, levels = [value], 0
    while level := [within for item in level if isinstance(item, dict | list) for within in _parts(item)]:
        levels += 1
        if levels > MOST_LEVELS:
            raise _too_deep()
    return value


def _parts(item: dict[str, Any] | list[Any]) -> Any:
    return item.values() if isinstance(item, dict) else item


def _too_deep() -> Refused:
    return Refused("The JSON is nested too deeply.", field="body")
