"""Where conditions are evaluated: not everything is known everywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Place(StrEnum):
    """Who asks."""

    LIVE = "live"
    FLOW = "flow"
    SEGMENT = "segment"


PLACE_WORDS: Final = {
    Place.LIVE.value: "a live action",
    Place.FLOW.value: "a flow",
    Place.SEGMENT.value: "a segment",
}

STORED: Final = frozenset({Place.FLOW.value, Place.SEGMENT.value})
"""Where the database is asked."""
IN_FLOW: Final = frozenset({Place.FLOW.value})
IN_PAGE: Final = frozenset({Place.LIVE.value})
