"""clear_cta: the way to the order was short and smooth. Few pages, no detours, the button found at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, clue
from insights.classification.evidence.story import Story, gap, soon_after
from insights.classification.places import CALL_TO_ACTION, text

SHORT_VISIT_S: Final = 240
FEW_PAGES: Final = 6
QUICK_CHECKOUT_S: Final = 120
"""Long forms and many steps are what people complain of; two minutes are none of that."""
DETOURS: Final = (
    "rage_click",
    "dead_click",
    "request_failed",
    "quick_back",
    "coupon_tried",
    "reviews_viewed",
    "hover_hesitation",
    "cart_removed",
    "tab_returned",
)


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for a clear way."""
    purchase = story.purchase
    if purchase is None:
        return
    pages = story.of("page_viewed")
    direct = not story.of(*DETOURS)
    if direct and story.seconds <= SHORT_VISIT_S and len(pages) <= FEW_PAGES:
        yield clue(0.5, f"ordered within {max(1, round(story.seconds / 60))} min of arriving", [*pages[:1], purchase])
    checkout = story.checkout
    if direct and checkout is not None and gap(checkout, purchase) <= QUICK_CHECKOUT_S:
        yield clue(0.2, "went through the checkout without a stumble", [checkout])
    buttons = [
        event
        for event in story.of("clicked")
        if CALL_TO_ACTION.search(f"{text(event, 'selector')} {text(event, 'label')}")
    ]
    if added := soon_after(story.of("cart_added"), buttons, 5):
        yield clue(0.15, "found the button at once", added)
    shown = [event for event in story.of("action_clicked") if text(event, "action") not in ("", "do_nothing")]
    if shown:
        yield clue(0.15, "answered to what was shown", shown)
