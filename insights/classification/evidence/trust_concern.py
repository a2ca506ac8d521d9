"""trust_concern: they were not sure of the shop.

People who doubt look for reassurance: returns, security, terms, who is behind it, what others say. One such page on
the way through is ordinary; several, or one when the money is asked for, are doubt. Not trusting a site with the card
is among the reasons named most often for leaving a checkout.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue
from insights.classification.evidence.failures import failures_in_the_way
from insights.classification.evidence.story import Story
from insights.classification.places import (
    BUYING,
    CALL_TO_ACTION,
    DELIVERY,
    DOUBT,
    PAYING,
    PAYMENT_FIELD,
    POLICY,
    number,
    spot,
    text,
)
from insights.timeline.timeline import TimelineEvent

LAST_THING_S: Final = 90
"""A page that is read within the last minute and a half was the last thing they wanted to know."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for doubt."""
    yield from _reassurance(story)
    yield from _reviews(story)
    if not failures_in_the_way(story):
        yield from _payment(story)
    if asked := [event for event in story.of("searched") if DOUBT.search(text(event, "query"))]:
        yield clue(0.35, "searched for reassurance", asked)


def reassurance(story: Story) -> list[TimelineEvent]:
    """Pages and passages about returns, security, terms and the company that were opened or read."""
    # A step of the checkout called "contact" is no contact page.
    pages = [
        event for event in story.of("page_viewed") if POLICY.search(event.path) and not _in_cart_or_checkout(event)
    ]
    seen = {event.path for event in pages}
    passages = [
        event
        for event in story.of("scrolled", "text_selected", "text_copied", "hover_hesitation")
        # A passage of a page that counts already says nothing new.
        if event.path not in seen and POLICY.search(text(event, "section"))
    ]
    return sorted([*pages, *passages], key=lambda event: (event.at, event.id))


def _reassurance(story: Story) -> Iterator[Clue]:
    read = reassurance(story)
    counted = {event.id for event in read}
    delivery = [e for e in story.of("page_viewed") if DELIVERY.search(e.path) and e.id not in counted]
    if delivery:
        yield clue(0.12, "read about delivery", delivery)
    if not read:
        return
    places = len({(event.path, text(event, "section") if event.type != "page_viewed" else "") for event in read})
    yield clue(by_count(places, (0.32, 0.52, 0.62)), _read(places), read)
    late = [event for event in read if story.is_before(story.checkout, event)]
    if late:
        yield clue(0.45, "looked for reassurance once the checkout had begun", late)
    elif in_cart := [event for event in read if story.is_before(story.first("cart_added"), event)]:
        yield clue(0.25, "looked for reassurance with a filled cart", in_cart)
    if story.left_within(read[-1], LAST_THING_S) and (story.of("cart_added") or len(read) > 1):
        yield clue(0.15, "left soon after", read[-1:])
    marked = [
        event for event in story.of("text_selected", "text_copied") if POLICY.search(f"{spot(event)} {event.path}")
    ]
    if marked:
        yield clue(0.15, "marked what a policy says", marked)


def _reviews(story: Story) -> Iterator[Clue]:
    views = story.of("reviews_viewed")
    if late := [event for event in views if story.is_before(story.checkout, event)]:
        yield clue(0.4, "read reviews again once payment was near", late)
    elif views and reassurance(story):
        yield clue(0.2, "read reviews", views)
    elif len(views) >= 3 and not story.of("cart_added"):
        yield clue(0.3, f"read reviews {len(views)} times without buying", views)


def _payment(story: Story) -> Iterator[Clue]:
    if story.last_step is None or story.last_step[0] not in ("payment", "review"):
        return
    step, at = story.last_step
    if step == "payment":
        yield clue(0.3, "stopped where payment is asked for", [at])
    paying = [
        event
        for event in [*story.of("page_viewed"), *story.of("hover_hesitation")]
        if story.is_before(at, event)
        and PAYING.search(f"{text(event, 'section')} {event.path if event.type == 'page_viewed' else ''}")
        and not _in_cart_or_checkout(event)
    ]
    if paying:
        yield clue(0.35, "looked up how one can pay", paying)
    fields = [
        event
        for event in story.of("form_field")
        if PAYMENT_FIELD.search(text(event, "field")) and number(event, "first_input_ms") is None
    ]
    if fields:
        yield clue(0.3, "went to the card field and typed nothing", fields)
    hovers = [
        event
        for event in story.of("hover_hesitation")
        if story.is_before(at, event) and CALL_TO_ACTION.search(text(event, "selector"))
    ]
    if hovers:
        yield clue(0.2, "held back over the button that pays", hovers)


def _in_cart_or_checkout(event: TimelineEvent) -> bool:
    return bool(BUYING.search(event.path.strip("/").partition("/")[0]))


def _read(places: int) -> str:
    return "read about returns, security or the company" if places == 1 else f"read {places} pages of reassurance"
