"""value_fit: the price was right for what it is. The base case of a purchase, and more where price was weighed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, clue
from insights.classification.evidence.comparison_shopping import of_one_kind
from insights.classification.evidence.price_hesitation import lingered_on_price
from insights.classification.evidence.story import Story
from insights.classification.places import text

BASE: Final = 0.3
"""A purchase says that the price was acceptable, whatever else it says. Low: buyers leave few traces of why."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for value."""
    if story.purchase is not None:
        yield clue(BASE, "found it worth the price", [story.purchase])
    if accepted := [event for event in story.of("coupon_tried") if event.props.get("accepted") is True]:
        yield clue(0.45, "used a code that was accepted", accepted)
    if promos := [event for event in story.of("promo_seen") if text(event, "kind") in ("code", "free_shipping")]:
        yield clue(0.2, "saw an offer on price", promos)
    if hovers := lingered_on_price(story):
        yield clue(0.25, "weighed the price and took it", hovers)
    alike = of_one_kind(story)
    if len(alike) >= 2:
        yield clue(0.3 if len(alike) >= 3 else 0.15, f"compared {len(alike)} products of one kind first", alike)
