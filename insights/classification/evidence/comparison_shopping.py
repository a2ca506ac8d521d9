"""comparison_shopping: they were weighing alternatives, here or elsewhere.

Several products of one kind, going back and forth between them, jumping between the list and the products, the tab
left right after a product, a product's name copied. Whoever is in the checkout has finished comparing, mostly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue
from insights.classification.evidence.story import Story, soon_after
from insights.classification.places import COMPARING, PRICE, PRODUCT_NAME, SPECIFICATIONS, number, text
from insights.timeline.timeline import TimelineEvent

GLANCE_AWAY_S: Final = 45
"""A tab left this soon after a product was opened was probably left to look for it elsewhere."""
SHORT_ABSENCE_MS: Final = 180_000
"""A look at another shop takes seconds to minutes; a longer absence is something else."""
DECIDED: Final = 0.5
"""What the clues of somebody who has begun the checkout are still worth."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for comparing."""
    scale = DECIDED if story.checkout is not None else 1.0
    for weight, said, events in _found(story):
        yield clue(weight * scale, said, events)


def of_one_kind(story: Story) -> list[TimelineEvent]:
    """First views of the distinct products in the category most looked at."""
    first: dict[str, TimelineEvent] = {}
    for event in story.of("product_viewed"):
        first.setdefault(text(event, "product_id"), event)
    counts = Counter(category for event in first.values() if (category := text(event, "category")))
    if not counts:
        return []
    category, _ = counts.most_common(1)[0]
    return [event for event in first.values() if text(event, "category") == category]


def _found(story: Story) -> Iterator[tuple[float, str, list[TimelineEvent]]]:
    views = story.of("product_viewed")
    alike = of_one_kind(story)
    if len(alike) >= 3:
        yield by_count(len(alike) - 2, (0.45, 0.55, 0.62)), f"looked at {len(alike)} products of one kind", alike
    elif (several := len({text(event, "product_id") for event in views})) >= 5:
        yield 0.3, f"looked at {several} products", views
    if again := _returns(views):
        yield by_count(len(again), (0.28, 0.42, 0.5)), "went back to a product seen before", again
    jumps = [event for event in story.of("quick_back") if text(event, "from") in story.product_paths]
    if len(jumps) >= 2:
        yield by_count(len(jumps) - 1, (0.25, 0.38)), "jumped between the list and its products", jumps
    copies = [
        event
        for event in story.of("text_copied")
        if PRODUCT_NAME.search(text(event, "section")) and not PRICE.search(text(event, "section"))
    ]
    if copies:
        yield by_count(len(copies), (0.3, 0.42)), "copied a product's name", copies
    if away := _glances(story, [*views, *copies]):
        yield by_count(len(away), (0.15, 0.35, 0.45)), "left the tab right after looking at a product", away
    compared = [e for e in story.of("page_viewed", "searched") if COMPARING.search(f"{e.path} {text(e, 'query')}")]
    if compared:
        yield 0.45, "opened a comparison", compared
    read = [
        e for e in story.of("scrolled", "text_selected", "text_copied") if SPECIFICATIONS.search(text(e, "section"))
    ]
    if len({event.path for event in read}) >= 2:
        yield 0.3, "read the specifications of several products", read
    swapped = [
        event
        for event in story.of("cart_removed")
        if text(event, "product_id") in {text(e, "product_id") for e in alike}
    ]
    if swapped and len(alike) >= 2:
        yield 0.25, "put one of a kind back again", swapped


def _returns(views: list[TimelineEvent]) -> list[TimelineEvent]:
    """Views of a product seen before, with another one of the same category in between."""
    again: list[TimelineEvent] = []
    seen: set[tuple[str, str]] = set()
    last = ("", "")
    for event in views:
        this = (text(event, "category"), text(event, "product_id"))
        if this in seen and this != last and (this[0] == last[0] or not this[0]):
            again.append(event)
        seen.add(this)
        last = this
    return again


def _glances(story: Story, looked: list[TimelineEvent]) -> list[TimelineEvent]:
    """Hidden tabs soon after a product that were returned to within minutes, or not at all."""
    order = sorted(looked, key=lambda event: event.at)
    hidden = {event.id for event in soon_after(story.of("tab_hidden"), order, GLANCE_AWAY_S)}
    found: list[TimelineEvent] = []
    for event in story.of("tab_hidden", "tab_returned"):
        if event.type == "tab_hidden" and event.id in hidden:
            found.append(event)
        elif event.type == "tab_returned" and found and (number(event, "away_ms") or 0) > SHORT_ABSENCE_MS:
            found.pop()
    return found
