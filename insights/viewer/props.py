"""Reads props, which are as a stranger sent them: a value of another type than expected counts as missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from insights.viewer.wording import duration, money

Props = Mapping[str, Any]

MAX_TEXT = 160
_LARGEST = 2.0**53


def number(props: Props, name: str) -> float | None:
    """A number of ordinary size, or None."""
    value = props.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_LARGEST <= value <= _LARGEST else None


def text(props: Props, name: str, longest: int = MAX_TEXT) -> str:
    """A text or number on one line, cut to ``longest``; "" when missing."""
    value = props.get(name)
    if not isinstance(value, str):
        plain = number(props, name)
        return "" if plain is None else f"{plain:g}" if isinstance(plain, float) else str(plain)
    value = re.sub(r"\s+", " ", value).strip()
    return value if len(value) <= longest else value[: longest - 1] + "…"


def length(props: Props, name: str) -> str:
    """A number of milliseconds in words."""
    value = number(props, name)
    return "" if value is None else duration(value / 1000)


def amount(props: Props, name: str) -> str:
    """A number of minor units with the currency that stands beside it."""
    value = number(props, name)
    return money(value, text(props, "currency", 3) or None) if isinstance(value, int) else ""


def counted(props: Props, name: str, one: str, many: str) -> str:
    """A number with its noun: 1 click, 4 clicks."""
    value = number(props, name)
    return "" if value is None else f"{value:g} {one if value == 1 else many}"
