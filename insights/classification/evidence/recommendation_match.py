"""recommendation_match: something that was recommended is what they bought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, clue
from insights.classification.evidence.story import Story, soon_after
from insights.classification.places import RECOMMENDED, text

RECOMMENDING: Final = frozenset({"recommendation_carousel", "comparison_card"})
FOLLOWED_S: Final = 10
STRAIGHT_S: Final = 3
"""A thing added this soon after a click on it was added by that click."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for a recommendation."""
    shown = [event for event in story.of("action_clicked") if text(event, "action") in RECOMMENDING]
    if shown:
        yield clue(0.6, "followed a recommendation", shown)
    listed = [
        event
        for event in story.of("clicked")
        if RECOMMENDED.search(f"{text(event, 'selector')} {text(event, 'section')} {text(event, 'label')}")
    ]
    if listed:
        yield clue(0.4, "clicked a recommended product", listed)
    opened = soon_after(story.of("product_viewed"), sorted([*shown, *listed], key=lambda e: e.at), FOLLOWED_S)
    bought = {text(event, "product_id") for event in opened} - {""}
    straight = soon_after(story.of("cart_added"), listed, STRAIGHT_S)
    added = [event for event in story.of("cart_added") if text(event, "product_id") in bought or event in straight]
    if added:
        yield clue(0.5, "put the recommended product into the cart", added)
