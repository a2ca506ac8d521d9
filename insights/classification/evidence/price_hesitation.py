"""price_hesitation: the price, or what came on top of it, held them back.

Unexpected extra cost is the reason that people name most often for leaving a checkout, so leaving where delivery is
priced counts, and so does everything that shows somebody looking for a lower sum: lingering on prices and totals,
trying codes, emptying the cart, walking down from the dear to the cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue, times
from insights.classification.evidence.failures import failures_in_the_way
from insights.classification.evidence.story import Story, soon_after
from insights.classification.places import (
    BUYING,
    CALL_TO_ACTION,
    CHEAPER,
    COUPON,
    DELIVERY,
    PRICE,
    SORTED_BY_PRICE,
    number,
    request_path,
    text,
)
from insights.timeline.timeline import TimelineEvent

STOPPED_AT_SHIPPING_S: Final = 180
"""Whoever does nothing more within three minutes of seeing the delivery price stopped there."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for price."""
    yield from _prices(story)
    yield from _codes(story)
    yield from _delivery(story)
    yield from _cart(story)
    yield from _free_delivery(story)
    yield from _cheaper(story)


def lingered_on_price(story: Story) -> list[TimelineEvent]:
    """Hesitations over a price, a total or the cost of delivery."""
    return [event for event in story.of("hover_hesitation") if _is_about_price(event)]


def _prices(story: Story) -> Iterator[Clue]:
    hovers = lingered_on_price(story)
    if hovers:
        yield clue(by_count(len(hovers), (0.25, 0.42, 0.55)), times("lingered over a price", hovers), hovers)
    if copied := [event for event in story.of("text_copied") if _is_about_price(event)]:
        yield clue(0.3, "copied a price", copied)
    if selected := [event for event in story.of("text_selected") if _is_about_price(event)]:
        yield clue(0.22, "marked a price", selected)


def _codes(story: Story) -> Iterator[Clue]:
    tried = story.of("coupon_tried")
    refused = [event for event in tried if event.props.get("accepted") is False]
    # Where a shop does not report its codes, the refusal of the request tells.
    turned_down = [
        event
        for event in story.of("request_failed")
        if COUPON.search(request_path(event)) and 400 <= (number(event, "status") or 0) < 500
    ]
    if not tried:
        refused = turned_down
    if refused:
        yield clue(by_count(len(refused), (0.5, 0.65, 0.72)), times("tried a code that was refused", refused), refused)
    elif tried:
        accepted = all(event.props.get("accepted") is True for event in tried)
        yield clue(0.15 if accepted else 0.3, "tried a code", tried)
    if fields := [event for event in story.of("form_field") if COUPON.search(text(event, "field"))]:
        yield clue(0.2, "went to the field for a code", fields)
    away = [event for event in story.of("tab_returned") if story.cart_filled]
    if tried and (hunted := soon_after(tried, away, 60)):
        yield clue(0.2, "came back from another tab with a code", hunted)


def _delivery(story: Story) -> Iterator[Clue]:
    if story.last_step is None:
        return
    step, at = story.last_step
    late = [event for event in lingered_on_price(story) if story.is_before(at, event)]
    if late and step != "contact":
        yield clue(0.3, "lingered over what came on top", late)
    if step == "shipping" and story.left_within(at, STOPPED_AT_SHIPPING_S) and not story.form_trouble:
        yield clue(0.35, "left where the cost of delivery appears", [at])
        back = [event for event in story.of("page_viewed") if story.is_before(at, event)]
        if back and not failures_in_the_way(story):
            yield clue(0.2, "turned back from the checkout there", back[:1])


def _cart(story: Story) -> Iterator[Clue]:
    removed = story.of("cart_removed")
    if not removed:
        return
    emptied = not story.cart_filled
    weight = by_count(len(removed), (0.22, 0.38, 0.48))
    yield clue(weight, times("took something out of the cart", removed), removed)
    if emptied and len(removed) > 1:
        yield clue(0.2, "emptied the cart", removed[-1:])


def _free_delivery(story: Story) -> Iterator[Clue]:
    """A cart below the limit of free delivery: the clue shops hang up themselves."""
    short = [event for event in story.of("promo_seen") if text(event, "kind") == "free_shipping"]
    if not short or not story.cart_filled:
        return
    yield clue(by_count(len(short), (0.2, 0.32)), "was told what is missing for free delivery", short)
    if read := [e for e in story.of("page_viewed") if DELIVERY.search(e.path) and not BUYING.search(e.path)]:
        yield clue(0.25, "looked up what delivery costs", read)


def _cheaper(story: Story) -> Iterator[Clue]:
    if searched := [event for event in story.of("searched") if CHEAPER.search(text(event, "query"))]:
        yield clue(0.35, "searched for something cheap", searched)
    if bargains := [event for event in story.of("page_viewed") if CHEAPER.search(event.path)]:
        yield clue(0.25, "went to the offers", bargains)
    if narrowed := [
        event for event in story.of("clicked") if PRICE.search(text(event, "label") + text(event, "selector"))
    ]:
        yield clue(0.2, "sorted or narrowed by price", narrowed)
    if sorted_pages := [event for event in story.of("page_viewed") if SORTED_BY_PRICE.search(event.url or "")]:
        yield clue(0.25, "sorted by price", sorted_pages[:3])
    views = [event for event in story.of("product_viewed") if number(event, "price_minor") is not None]
    steps_down = [
        later
        for earlier, later in pairwise(views)
        if text(earlier, "category") == text(later, "category")
        and (number(later, "price_minor") or 0) < 0.9 * (number(earlier, "price_minor") or 0)
    ]
    if steps_down:
        yield clue(by_count(len(steps_down), (0.1, 0.3, 0.4)), "went from dearer to cheaper ones", steps_down)


def _is_about_price(event: TimelineEvent) -> bool:
    selector, section = text(event, "selector"), text(event, "section")
    if PRICE.search(selector) or DELIVERY.search(selector):
        return True
    # A button beside the total is a button.
    return not CALL_TO_ACTION.search(selector) and bool(PRICE.search(section) or DELIVERY.search(section))
