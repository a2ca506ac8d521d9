"""ux_friction: the page made it hard, without being broken.

Angry clicks, clicks on things that do nothing, forms that are fought with or left half done, searches that find
nothing, steps taken back. Clicks in vain right after a failure are the failure's fault and counted there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue, times
from insights.classification.evidence.failures import failures_in_the_way, status_of
from insights.classification.evidence.story import Story, soon_after
from insights.classification.places import ACCOUNT, COUPON, PAYMENT_FIELD, number, request_path, text
from insights.timeline.timeline import TimelineEvent
from insights.vocabulary.checkout import CHECKOUT_STEPS

BLAMED_S: Final = 30
"""Clicks in vain this soon after a failure belong to the failure."""
TYPED_WRONG: Final = frozenset({400, 409, 422})
"""How a shop says that it did not like what was typed."""
LONG_FIELD_MS: Final = 30_000
"""A single field takes a few seconds; half a minute is a puzzle."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for friction."""
    yield from _clicks(story)
    yield from _forms(story)
    yield from _refusals(story)
    yield from _searches(story)
    yield from _ways_back(story)


def _clicks(story: Story) -> Iterator[Clue]:
    blamed = {
        event.id for event in soon_after(story.of("rage_click", "dead_click"), failures_in_the_way(story), BLAMED_S)
    }
    rage = [event for event in story.of("rage_click") if event.id not in blamed]
    dead = [event for event in story.of("dead_click") if event.id not in blamed]
    if rage:
        yield clue(by_count(len(rage), (0.4, 0.6, 0.7)), times("clicked angrily", rage), rage)
    if dead:
        weight = by_count(len(dead), (0.22, 0.4, 0.55))
        yield clue(weight, times("clicked on something that did nothing", dead), dead)


def _forms(story: Story) -> Iterator[Clue]:
    for left in story.of("form_abandoned"):
        if COUPON.search(text(left, "form")):
            continue
        started = (number(left, "filled") or 0) >= 1
        wants_account = bool(ACCOUNT.search(text(left, "form")) or ACCOUNT.search(left.path))
        if wants_account and story.of("cart_added"):
            # The account that a checkout demands is the second most named reason after extra cost.
            yield clue(0.5 if started else 0.4, "left the form for an account", [left])
        elif started:
            yield clue(0.42, "left a form half filled", [left])
        elif not PAYMENT_FIELD.search(text(left, "form")):
            yield clue(0.12, "left a form", [left])
    fields = [event for event in story.of("form_field") if not COUPON.search(text(event, "field"))]
    again = [event for event in fields if (number(event, "refocused") or 0) >= 2]
    if again:
        yield clue(by_count(len(again), (0.3, 0.4, 0.5)), "went back to the same field again and again", again)
    if long := [e for e in fields if (number(e, "focused_ms") or 0) >= LONG_FIELD_MS and number(e, "first_input_ms")]:
        yield clue(0.2, "spent more than half a minute on one field", long)


def _refusals(story: Story) -> Iterator[Clue]:
    refused = [
        event
        for event in story.of("request_failed")
        if status_of(event) in TYPED_WRONG and not COUPON.search(request_path(event))
    ]
    if refused:
        weight = by_count(len(refused), (0.12, 0.38, 0.55))
        yield clue(weight, times("was told that something typed is wrong", refused), refused)


def _searches(story: Story) -> Iterator[Clue]:
    empty = [event for event in story.of("searched") if number(event, "results") == 0]
    if empty:
        yield clue(by_count(len(empty), (0.2, 0.4, 0.5)), times("searched and found nothing", empty), empty)


def _ways_back(story: Story) -> Iterator[Clue]:
    # Between products and their list it is comparing, not losing one's way.
    lost = [event for event in story.of("quick_back") if text(event, "from") not in story.product_paths]
    if len(lost) >= 2:
        yield clue(by_count(len(lost) - 1, (0.3, 0.42, 0.5)), times("turned back at once", lost), lost)
    back = [later for earlier, later in pairwise(story.of("checkout_step")) if _position(later) < _position(earlier)]
    if back:
        yield clue(by_count(len(back), (0.2, 0.4)), times("went a checkout step back", back), back)


def _position(step: TimelineEvent) -> int:
    name = text(step, "step")
    return CHECKOUT_STEPS.index(name) if name in CHECKOUT_STEPS else 0
