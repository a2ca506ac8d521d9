"""Amounts as other companies' APIs want them: in units of the currency, not in its smallest coin."""

from __future__ import annotations

from typing import Final

NO_DIGITS: Final = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())  # noqa: SIM905
THREE_DIGITS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
FOUR_DIGITS: Final = frozenset({"CLF", "UYW"})
"""Currencies whose amounts have no digits after the point, or three, or four (ISO 4217); all others have two."""


def units(minor: int, currency: str) -> float:
    """``units(1250, "EUR")`` is 12.5; 1250 JPY are 1250, 1250 KWD are 1.25."""
    digits = 0 if currency in NO_DIGITS else 3 if currency in THREE_DIGITS else 4 if currency in FOUR_DIGITS else 2
    return float(minor / 10**digits)
