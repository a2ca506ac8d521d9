"""distraction: nothing was wrong, something else came up.

Somebody who was in the middle of it (a filled cart, a form, long reading), switched away without a sign of trouble and
did not come back, or came back much later and had lost interest. On telephones every visit ends in the background, so
a hidden tab alone says little.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from insights.classification.evidence.clue import Clue, clue
from insights.classification.evidence.story import Story, gap
from insights.classification.places import number
from insights.timeline.timeline import TimelineEvent

LONG_AWAY_S: Final = 120
"""Away for two minutes or more is something else than a glance at another tab."""
LOST_INTEREST_S: Final = 120
"""Whoever leaves this soon after coming back came back to nothing."""
IDLE_S: Final = 600
"""Ten minutes between two events on an open page: nobody was looking."""
ENGAGED_S: Final = 15
"""Active time on the pages from which on somebody was taken up by them."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for distraction."""
    scale = _in_the_middle(story)
    trouble = story.trouble
    gone = _never_back(story)
    if gone is not None:
        # Whoever has had enough closes the tab; on a telephone that is a hidden tab like any other.
        yield clue(0.35 * scale * (0.3 if trouble else 1), "switched away and did not come back", [gone])
    long = [event for event in story.of("tab_returned") if (number(event, "away_ms") or 0) >= LONG_AWAY_S * 1000]
    if long:
        yield clue(0.3 * scale, "had been away for minutes", long)
        if story.left_within(long[-1], LOST_INTEREST_S):
            yield clue(0.25 * scale, "came back only for a moment", long[-1:])
    idle = [
        later
        for earlier, later in pairwise(story.events)
        if gap(earlier, later) >= IDLE_S and earlier.type != "tab_hidden" and later.type != "tab_returned"
    ]
    if idle:
        yield clue(0.3 * scale, "did nothing for many minutes", idle)
    if gone is None and not long and not idle:
        return
    if trouble and not long and not idle:
        return
    if story.cart_filled:
        yield clue(0.3, "left a filled cart behind", story.of("cart_added")[-1:])
    if story.checkout is not None:
        yield clue(0.2, "was in the middle of the checkout", [story.checkout])
    if story.engaged_seconds >= ENGAGED_S:
        yield clue(0.12, "had been taken up by the pages", story.of("engaged")[-1:])


def _in_the_middle(story: Story) -> float:
    busy = story.cart_filled or story.checkout is not None or story.engaged_seconds >= ENGAGED_S
    return 1.0 if busy or len(story.of("product_viewed")) >= 2 or story.of("form_field") else 0.5


def _never_back(story: Story) -> TimelineEvent | None:
    """The hidden tab that nobody came back to, unless it was closed there and then."""
    switches = story.of("tab_hidden", "tab_returned")
    if not switches or switches[-1].type != "tab_hidden":
        return None
    hidden = switches[-1]
    if story.last_act is not None and story.is_before(hidden, story.last_act):
        return None
    ended = story.of("session_ended")
    return None if ended and 0 <= gap(hidden, ended[-1]) < LONG_AWAY_S else hidden
