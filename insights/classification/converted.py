"""The six reasons of a conversion, as clues. Pure. They are modest: a buyer leaves few traces of why."""

from __future__ import annotations

import re
from datetime import timedelta

from insights.classification.clues import Case, Clue, case, clue
from insights.classification.story import Story
from insights.timeline.timeline import TimelineEvent
from insights.vocabulary.reasons import Reason

QUICK = timedelta(minutes=4)
OFFERED = re.compile(r"recommend|related|similar|goes-with|upsell|cross-sell|also", re.IGNORECASE)
"""What shops call the lists of products that they suggest."""


def urgency(story: Story) -> Case:
    """A countdown or low stock was seen, and the order followed soon."""
    seen = story.of("promo_seen", when=lambda event: event.props.get("kind") in ("countdown", "low_stock"))
    soon = [event for event in seen if story.purchase and story.purchase.at - event.at <= timedelta(minutes=10)]
    return case(
        Reason.URGENCY,
        [
            clue(seen, 0.45, "saw that time or stock was short", more=0.1),
            clue(soon, 0.3, "ordered within ten minutes of it"),
        ],
    )


def social_proof(story: Story) -> Case:
    """Reviews were read before the cart was filled."""
    reviews = story.of("reviews_viewed")
    sections = story.of("scrolled", "text_selected", when=lambda event: "review" in str(event.props.get("section")))
    before_cart = [review for review in reviews if any(add.at >= review.at for add in story.of("cart_added"))]
    return case(
        Reason.SOCIAL_PROOF,
        [
            clue(reviews, 0.4, "read reviews {n} time{s}", more=0.1),
            clue(sections, 0.2, "stayed with the reviews"),
            clue(before_cart, 0.3, "put it into the cart after the reviews"),
        ],
    )


def recommendation_match(story: Story) -> Case:
    """Something we showed led to what was bought."""
    shown = ("recommendation_carousel", "comparison_card")
    clicked = story.of("action_clicked", when=lambda event: event.props.get("action") in shown)
    listed = story.of("clicked", when=lambda event: bool(OFFERED.search(f"{event.props.get('selector')}")))
    return case(
        Reason.RECOMMENDATION_MATCH,
        [
            clue(clicked, 0.7, "followed a recommendation that was shown"),
            clue(listed, 0.55, "clicked a recommended product"),
        ],
    )


def returning_intent(story: Story) -> Case:
    """They came back to buy what they had in mind."""
    first = list(story.events[:1])
    prior = story.prior
    direct = len(story.products) <= 2
    return case(
        Reason.RETURNING_INTENT,
        [
            Clue(
                0.5, f"came back after {prior.sessions} earlier visit{'' if prior.sessions == 1 else 's'}", tuple(first)
            )
            if prior.sessions
            else None,
            Clue(0.2, "had bought here before", tuple(first)) if prior.purchases else None,
            Clue(0.2, "went straight to what they wanted", tuple(story.products[:2]))
            if prior.sessions and direct
            else None,
        ],
    )


def clear_cta(story: Story) -> Case:
    """The way to the order was short and smooth."""
    purchase = story.purchase
    adds = story.of("cart_added")
    quick: list[TimelineEvent] = []
    if purchase is not None and adds and purchase.at - adds[0].at <= QUICK:
        quick = [adds[0], purchase]
    smooth = not story.of("rage_click", "dead_click", "request_failed", "quick_back", "coupon_tried")
    answered = story.of("action_clicked")
    return case(
        Reason.CLEAR_CTA,
        [
            clue(quick, 0.35, "ordered within minutes of filling the cart", at_least=2),
            clue(story.of("checkout_started"), 0.15, "went through the checkout without a stumble") if smooth else None,
            clue(answered, 0.2, "answered to what was shown"),
        ],
    )


def value_fit(story: Story) -> Case:
    """The price was right: the base case of a purchase, and more so where price was looked at."""
    accepted = story.of("coupon_tried", when=lambda event: event.props.get("accepted") is True)
    promos = story.of("promo_seen", when=lambda event: event.props.get("kind") in ("code", "free_shipping"))
    bought = [story.purchase] if story.purchase else []
    return case(
        Reason.VALUE_FIT,
        [
            clue(bought, 0.3, "bought"),
            clue(accepted, 0.45, "used a code that was accepted"),
            clue(promos, 0.25, "saw an offer on price"),
            clue(story.price_hovers, 0.2, "weighed the price and took it"),
            clue(story.main_category, 0.2, "compared {n} product{s} of one kind first", at_least=3),
        ],
    )


CONVERTED = (value_fit, urgency, social_proof, recommendation_match, returning_intent, clear_cta)
