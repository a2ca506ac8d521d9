"""A visit in which nothing was shown says why."""

from __future__ import annotations

from typing import Any

import pytest

from insights.viewer.session_page import why_nothing
from tests.viewer.conftest import Shop


@pytest.mark.parametrize(
    ("decisions", "client", "consent", "said"),
    [
        (1, {}, {}, "Nothing was shown: in 1 decision doing nothing was chosen."),
        (3, {"bot": True}, {}, "Nothing was shown: in 3 decisions doing nothing was chosen."),
        (0, {"bot": True}, {}, "Nothing was decided: a browser that says it is a bot is shown nothing."),
        (0, {}, {"analytics": False}, "Nothing was decided: they do not want to be observed."),
        (0, {}, {"analytics": True}, "Nothing was decided."),
    ],
)
def test_why_nothing_was_shown(decisions: int, client: dict[str, Any], consent: dict[str, Any], said: str) -> None:
    assert why_nothing(decisions, client, consent) == said


async def test_it_stands_on_the_page(shop: Shop) -> None:
    pages = [await shop.see(f"/sessions/{visit.id}") for visit in shop.visits.values()]
    assert any("Nothing was decided." in page for page in pages)
