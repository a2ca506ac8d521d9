"""Decides what can be kept of a value: what PostgreSQL or JSON cannot hold, or nobody could read again, is refused."""

from __future__ import annotations

MAX_DEPTH = 16
MAX_INTEGER = 2**63


class EventRefused(Exception):
    """This event cannot be accepted; the text names the field."""


def unstorable(value: object) -> str | None:
    """Why a value of parsed JSON cannot be kept, naming the field: NUL, half a character, NaN, too deep; else None."""
    try:
        check_values(value, "", 0)
    except EventRefused as refusal:
        return str(refusal)
    return None


def check_values(value: object, path: str, depth: int) -> None:
    """Refuses what PostgreSQL or JSON cannot hold: NUL, half a surrogate pair, NaN, infinity, numbers past a double.

    ``path``: what the value is called; ``depth``: how deep it lies. Raises EventRefused.
    """
    if depth > MAX_DEPTH + 2:
        raise EventRefused(f"{path or 'event'}: is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if "\x00" in value:
            raise EventRefused(f"{path or 'event'}: holds a NUL character; remove it")
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise EventRefused(
                f"{path or 'event'}: holds half of a character (a lone surrogate); cut text at characters"
            )
    elif isinstance(value, dict):
        for name, item in value.items():
            check_values(name, path or "event", depth)
            check_values(item, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_values(item, path, depth + 1)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise EventRefused(f"{path}: is not a finite number")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise EventRefused(f"{path}: is too large a number")


def unfit(value: object, levels: int) -> str | None:
    """Why a value cannot be kept: too deep to be read again, or a number past what a double holds."""
    if isinstance(value, int):
        return None if abs(value) <= MAX_INTEGER else "is too large a number"
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return None
    if levels == 0:
        return f"is nested deeper than {MAX_DEPTH} levels"
    return next((why for item in value if (why := unfit(item, levels - 1))), None)
