"""Lists that come page by page: the ``next`` of an answer is the ``cursor`` of the next request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from insights.errors import Refused
from insights.vocabulary.page_end import PageEnd, read_page_end

Cursor = Annotated[str | None, Query(max_length=100, description="The ``next`` of the page before.")]


def page_end(cursor: str | None) -> PageEnd | None:
    """Where the page before ended; None without a cursor. Raises Refused."""
    if cursor is None:
        return None
    end = read_page_end(cursor)
    if end is None:
        raise Refused("cursor: pass the `next` of the page before, unchanged.", field="cursor")
    return end
