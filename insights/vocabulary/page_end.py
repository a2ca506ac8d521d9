"""Where a page of a list ends: time and id of its last row, and how an address carries them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID


class PageEnd(NamedTuple):
    """The next page begins behind this row."""

    at: datetime
    id: UUID

    def __str__(self) -> str:
        """As an address can carry it without being escaped: in UTC, as an offset begins with a plus."""
        return f"{self.at.astimezone(UTC).isoformat().removesuffix('+00:00')}Z,{self.id}"


def read_page_end(text: str) -> PageEnd | None:
    """The end that such a text says; None for any other."""
    at, _, identifier = text.partition(",")
    try:
        end = PageEnd(datetime.fromisoformat(at), UUID(identifier))
    except ValueError:
        return None
    return end if end.at.tzinfo is not None else None
