"""How an amount is written in a message: minor units and a currency to ``€14.50``.

Pure. A currency without a common sign is written by its code.
"""

from __future__ import annotations

from typing import Final

from insights.vocabulary.money import minor_digits

_SIGNS: Final = {"EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}


def money(minor: int, currency: str | None) -> str:
    """``money(1450, "EUR")`` is ``€14.50``; without a currency the bare number with two digits."""
    digits = minor_digits(currency)
    whole, part = divmod(abs(minor), 10**digits)
    number = f"{whole:,}" + (f".{part:0{digits}d}" if digits else "")
    sign = "-" if minor < 0 else ""
    if currency is None:
        return sign + number
    if currency in _SIGNS:
        return f"{sign}{_SIGNS[currency]}{number}"
    return f"{sign}{number}\N{NO-BREAK SPACE}{currency}"
