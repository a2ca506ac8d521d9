"""social_proof: what others say convinced them. Reviews were read before the cart was filled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue, times
from insights.classification.evidence.story import Story, soon_after
from insights.classification.places import REVIEWS, text

DECIDED_S: Final = 180
"""Into the cart within three minutes of the reviews: they were the last thing that was asked."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for the word of others."""
    views = story.of("reviews_viewed")
    if views:
        yield clue(by_count(len(views), (0.42, 0.52)), times("read reviews", views), views)
    read = [e for e in story.of("scrolled", "text_selected", "text_copied") if REVIEWS.search(text(e, "section"))]
    if read:
        yield clue(by_count(len(read), (0.2, 0.3)), "stayed with the reviews", read)
    if added := soon_after(story.of("cart_added"), views, DECIDED_S):
        yield clue(0.3, "put it into the cart after the reviews", added)
