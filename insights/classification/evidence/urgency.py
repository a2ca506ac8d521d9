"""urgency: time or stock was short. A countdown or low stock was seen, and the order followed soon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue
from insights.classification.evidence.story import Story, gap, soon_after
from insights.classification.places import text

SOON_S: Final = 600
"""An order within ten minutes of the warning may have to do with it."""
AT_ONCE_S: Final = 120


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for urgency."""
    seen = [event for event in story.of("promo_seen") if text(event, "kind") in ("countdown", "low_stock")]
    if not seen:
        return
    yield clue(by_count(len(seen), (0.42, 0.52)), "saw that time or stock was short", seen)
    if story.purchase is not None and gap(seen[-1], story.purchase) <= SOON_S:
        yield clue(0.3, "ordered within ten minutes of it", [story.purchase])
    if added := soon_after(story.of("cart_added"), seen, AT_ONCE_S):
        yield clue(0.2, "put it into the cart at once", added)
