"""How many digits an amount has after the point, by its currency (ISO 4217)."""

from __future__ import annotations

from typing import Final

_NONE: Final = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())  # noqa: SIM905
_THREE: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_FOUR: Final = frozenset({"CLF", "UYW"})


def digits_of(currency: str) -> int:
    """2 for most; 0 for JPY and its like, 3 for KWD and its like, 4 for CLF and UYW."""
    return 0 if currency in _NONE else 3 if currency in _THREE else 4 if currency in _FOUR else 2


def to_minor(number: str, currency: str) -> int | None:
    """``to_minor("50.5", "EUR")`` is 5050; None when it has more digits than the currency. ``number``: -?d+(.d+)?"""
    whole, _, part = number.partition(".")
    digits = digits_of(currency)
    if len(part) > digits:
        return None
    return int(whole + part.ljust(digits, "0"))


def to_text(minor: int, currency: str) -> str:
    """``to_text(5050, "EUR")`` is ``50.50 EUR``."""
    digits = digits_of(currency)
    whole, part = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}{f'.{part:0{digits}d}' if digits else ''} {currency}"
