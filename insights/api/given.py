"""Values of requests that are taken only as their schema says: a moment is ISO 8601; a flag and a number are what they
are in flows, too.

Pydantic alone takes 0.5 for half a second after the beginning of 1970.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator

from flows.definition.written import Flag, Number, Whole

__all__ = ["Flag", "Moment", "Number", "Whole"]

_BEGINS_WITH_A_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_LOST_ITS_PLUS: Final = re.compile(r"[^ ]*T[^ ]* \d{2}:?\d{2}")


def _is_written_out(value: Any) -> Any:
    number = isinstance(value, int | float)
    if number or (isinstance(value, str) and not _BEGINS_WITH_A_DAY.match(value)):
        raise ValueError("write a time with its zone, such as 2026-11-21T17:00:00Z")
    if isinstance(value, str) and _LOST_ITS_PLUS.fullmatch(value):
        raise ValueError("in an address, write the + before the zone as %2B, or the time in UTC with a Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_is_written_out)]
"""A time with its zone."""
