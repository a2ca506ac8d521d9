"""How an amount is written in a message: minor units and a currency to ``€14.50``.

Pure. Digits after the point are those of ISO 4217; a currency without a common sign is written by its code.
"""

from __future__ import annotations

from typing import Final

_NO_DIGITS: Final = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
_THREE_DIGITS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_SIGNS: Final = {"EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}


def money(minor: int, currency: str | None) -> str:
    """``money(1450, "EUR")`` is ``€14.50``; without a currency the bare number with two digits."""
    digits = 0 if currency in _NO_DIGITS else 3 if currency in _THREE_DIGITS else 2
    whole, part = divmod(abs(minor), 10**digits)
    number = f"{whole:,}" + (f".{part:0{digits}d}" if digits else "")
    sign = "-" if minor < 0 else ""
    if currency is None:
        return sign + number
    if currency in _SIGNS:
        return f"{sign}{_SIGNS[currency]}{number}"
    return f"{sign}{number}\N{NO-BREAK SPACE}{currency}"
