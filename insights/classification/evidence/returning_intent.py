"""returning_intent: they came back to buy what they had in mind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue
from insights.classification.evidence.story import Story
from insights.classification.places import text

STRAIGHT: Final = 2
"""Products looked at by somebody who knows what they came for."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for an intent from before. Earlier visits are no events of this one; its first event stands in."""
    if not story.events:
        return
    prior, first = story.prior, story.events[:1]
    if prior.sessions:
        visits = f"{prior.sessions} earlier visit{'' if prior.sessions == 1 else 's'}"
        yield clue(by_count(prior.sessions, (0.45, 0.52, 0.56)), f"came back after {visits}", first)
        seen = {text(event, "product_id") for event in story.of("product_viewed")}
        if len(seen) <= STRAIGHT and story.of("cart_added"):
            yield clue(0.22, "went straight to what they wanted", story.of("cart_added")[:1])
        if story.checkout is not None and not story.of("cart_added"):
            yield clue(0.45, "ordered what was in the cart from before", [story.checkout])
    if prior.purchases:
        yield clue(0.25, "had bought here before", first)
    landing = story.first("page_viewed")
    source = landing.props.get("source") if landing is not None else None
    if landing is not None and isinstance(source, dict) and source.get("utm_source") == "whyleft":
        yield clue(0.4, "came back from a message", [landing])
