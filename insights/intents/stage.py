"""Which stage a visitor is in: the class of offers that makes sense to them."""

from __future__ import annotations

from typing import Final

from insights.intents.intent import Intent
from insights.profiles.profile import Profile
from insights.vocabulary.stages import Stage

LIKELY: Final = 0.6


def stage_of(profile: Profile, intent: Intent) -> Stage:
    """The furthest stage that holds.

    customer: bought before or now. high_intent: in the checkout, or a cart and a propensity of ``LIKELY``. cart_adder:
    something in the cart. browser: looked at two products, searched, came back to look, or read four pages.
    """
    p = profile
    if p.purchases:
        return Stage.CUSTOMER
    if p.cart_items:
        if p.checkout or intent.propensity >= LIKELY:
            return Stage.HIGH_INTENT
        return Stage.CART_ADDER
    if p.products_seen >= 2 or p.searches or p.pages >= 4 or (p.sessions > 1 and p.products_seen):
        return Stage.BROWSER
    return Stage.ANONYMOUS
