"""Figures as people type them in forms: numbers with a comma or a point, whole numbers, percent, amounts of money.

An empty field is None. Each raises Refused with the form's field and in the words that stand over it.
"""

from __future__ import annotations

import math
import re
from typing import Final

from flows.conditions.amounts import to_minor
from insights.errors import Refused
from insights.vocabulary.money import minor_digits

_AMOUNT: Final = re.compile(r"[0-9]{1,9}([.,][0-9]+)?")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")


def number(field: str, over: str, text: str) -> float | None:
    """A number."""
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise Refused(f"{over}: {text[:20]!r} is not a number.", field=field)
    return found


def whole(field: str, over: str, text: str) -> int | None:
    """A whole number."""
    text = text.strip()
    if not text:
        return None
    if not _WHOLE.fullmatch(text):
        raise Refused(f"{over}: {text[:20]!r} is not a whole number.", field=field)
    return int(text)


def share(field: str, over: str, text: str, most: int = 100) -> float | None:
    """A share of 0 to 1, typed in percent."""
    percent = number(field, over, text.strip().removesuffix("%"))
    if percent is None:
        return None
    if not 0 <= percent <= most:
        raise Refused(f"{over}: write a share from 0 to {most} percent.", field=field)
    return round(percent / 100, 6)


def amount(field: str, over: str, text: str, currency: str | None) -> int | None:
    """An amount in minor units. "1,250" could be a thousand or a little more than one: where the currency has no three
    digits after the point it is refused, not taken for either."""
    text = text.strip()
    if not text:
        return None
    minor = to_minor(text.replace(",", "."), currency or "") if _AMOUNT.fullmatch(text) else None
    if minor is None:
        example = f"{4.9:.{digits}f}" if (digits := minor_digits(currency)) else "490"
        raise Refused(f"{over}: write an amount such as {example}, without a mark for thousands.", field=field)
    return minor


def in_percent(share: float | None) -> str:
    """A share as it stands in a field."""
    return "" if share is None else f"{share * 100:.4f}".rstrip("0").rstrip(".")


def in_major(minor: int | None, currency: str | None) -> str:
    """An amount as it stands in a field."""
    digits = minor_digits(currency)
    return "" if minor is None else f"{minor / 10**digits:.{digits}f}"
