"""Where a page of a list ended: the ``next`` of an answer, and the ``cursor`` that brings it back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from insights.errors import Refused

Cursor = Annotated[str | None, Query(max_length=100, description="The ``next`` of the page before.")]


def next_of(at: datetime, identifier: UUID) -> str:
    """The ``next`` of a page whose last row has this time and id."""
    return f"{at.isoformat()},{identifier}"


def position(cursor: str) -> tuple[datetime, UUID]:
    """Time and id of the last row of the page before, out of its ``next``. Raises Refused."""
    at, _, identifier = cursor.partition(",")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(identifier)
    except ValueError:
        raise Refused("cursor: pass the `next` of the page before, unchanged.", field="cursor") from None
