"""Reads hostile props: a value of the wrong type, not finite or out of range counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any, Final

Props = Mapping[str, Any]

LARGEST: Final = 2**53
LONGEST_NAME: Final = 64


def text_of(props: Props, name: str) -> str:
    """A text as it is; "" for anything else."""
    value = props.get(name)
    return value if type(value) is str else ""


def name_of(props: Props, name: str) -> str:
    """A text of at most ``LONGEST_NAME`` characters, one copy in memory however many visitors hold it; "" if none."""
    value = props.get(name)
    return intern(value[:LONGEST_NAME]) if type(value) is str else ""


def whole_of(props: Props, name: str, absent: int = 0) -> int:
    """A whole number from 0 to 2**53, fractions cut; ``absent`` for anything else (NaN fails both comparisons)."""
    value = props.get(name)
    if type(value) is int:
        return value if 0 <= value <= LARGEST else absent
    if type(value) is float and 0 <= value <= LARGEST:
        return int(value)
    return absent


def currency_of(props: Props) -> str:
    """A three-letter code; "" if none."""
    value = props.get("currency")
    return intern(value) if type(value) is str and len(value) == 3 and value.isascii() and value.isupper() else ""


def share_of(props: Props, name: str) -> float:
    """A number from 0 to 1; 0.0 for anything else (NaN fails both comparisons)."""
    value = props.get(name)
    return float(value) if (type(value) is float or type(value) is int) and 0 <= value <= 1 else 0.0
