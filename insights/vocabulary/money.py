"""Money as the wire has it: how many digits a currency keeps, and major units turned into minor ones exactly. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from flows.conditions.amounts import digits_of

_MOST: Final = 2**53
_LONGEST: Final = 40


def minor_digits(currency: str | None) -> int:
    """Digits after the point: 0 for JPY, 3 for KWD, 4 for CLF, 2 for most and where the currency is unknown."""
    return digits_of(currency or "")


def to_minor(amount: object, currency: str | None) -> int:
    """An amount in major units (``12.5``, ``"12.50"``) as integer minor units; half a unit goes away from zero.

    A float counts as the shortest decimal that reads back as it, which is what was written: 19.99 is 1999, not 1998.
    Raises ValueError for what is no finite number between -2**53 and 2**53 minor units.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | float | str | Decimal):
        raise ValueError("must be an amount of money in major units, like 12.5")
    text = amount.strip() if isinstance(amount, str) else repr(amount) if isinstance(amount, float) else str(amount)
    try:
        # Exponents are bounded by the length: "1e999999999" would be a billion digits.
        if len(text) > _LONGEST or "_" in text:
            raise InvalidOperation
        value = Decimal(text)
        if not value.is_finite() or value.adjusted() > _LONGEST:
            raise InvalidOperation
        minor = int(value.scaleb(minor_digits(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except InvalidOperation:
        raise ValueError("must be an amount of money in major units, like 12.5") from None
    if abs(minor) > _MOST:
        raise ValueError("is too large an amount")
    return minor
