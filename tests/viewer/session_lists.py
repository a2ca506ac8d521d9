"""Reads the list of sessions as a page shows it."""

from __future__ import annotations

import re
from html import unescape
from uuid import UUID

from tests.viewer.conftest import Shop


def listed(page: str) -> list[UUID]:
    """The sessions of a list page, in order."""
    return [UUID(found) for found in re.findall(r'class="row-link" href="/app/sessions/([0-9a-f-]{36})"', page)]


def total(page: str) -> int:
    """The first of the numbers at the top."""
    return int(re.search(r"<b>([\d,]+)</b> sessions?", page)[1].replace(",", ""))  # type: ignore[index]


async def everything(shop: Shop, query: str = "") -> list[UUID]:
    """All sessions of a filtered list, page by page."""
    found: list[UUID] = []
    where = f"/sessions{query}"
    while True:
        page = await shop.see(where)
        found += listed(page)
        following = re.search(r'href="/app(/sessions\?[^"]*)" rel="next"', page)
        if following is None:
            return found
        where = unescape(following[1])
