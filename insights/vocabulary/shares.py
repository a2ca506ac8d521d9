"""How shares are written: what is neither nothing nor all never reads as 0 % or 100 %. Pure."""

from __future__ import annotations


def percent(share: float, digits: int = 0) -> str:
    """A share of 0..1 as a percentage with ``digits`` after the point: 12 %, <1 %, >99 %; with one digit <0.1 %."""
    said, least = f"{share * 100:.{digits}f}", 10.0**-digits
    if share > 0 and float(said) == 0:
        return f"<{least:.{digits}f} %"
    if share < 1 and float(said) == 100:
        return f">{100 - least:.{digits}f} %"
    return f"{said} %"
