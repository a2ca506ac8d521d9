"""Values that are taken only as JSON writes them: a number is no text, a flag no number, a time says its unit. Pure.

Pydantic alone takes "0.5" and true for numbers, 0 and "no" for false, and a wait "for" true for one of a second.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, StrictBool


def _is_a_number(value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("write a number alone, such as 5, without quotes")
    return value


def _says_its_unit(value: object) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError('write a duration such as "PT1H" (an hour) or "P2D" (two days)')
    return value


Whole = Annotated[int, BeforeValidator(_is_a_number)]
"""A whole number, which 5.0 is, too."""

Number = Annotated[float, BeforeValidator(_is_a_number)]
"""A number."""

Flag = StrictBool
"""true or false."""

Duration = Annotated[timedelta, BeforeValidator(_says_its_unit)]
"""ISO 8601, such as PT1H."""
