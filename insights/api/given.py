"""Values of requests that are taken only as their schema says: a flag is true or false, a moment is ISO 8601, a number
is one.

Pydantic alone takes 0 and "no" for false, 0.5 for half a second after the beginning of 1970, and true for 1.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, StrictBool

_BEGINS_WITH_A_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def _is_written_out(value: Any) -> Any:
    number = isinstance(value, int | float)
    if number or (isinstance(value, str) and not _BEGINS_WITH_A_DAY.match(value)):
        raise ValueError("write a time with its zone, such as 2026-11-21T17:00:00Z")
    return value


def _is_a_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("send a number, such as 5, without quotes")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_is_written_out)]
"""A time with its zone."""

Flag = StrictBool
"""true or false."""

Whole = Annotated[int, BeforeValidator(_is_a_number)]
"""A whole number, which 5.0 is, too."""

Number = Annotated[float, BeforeValidator(_is_a_number)]
"""A number."""
