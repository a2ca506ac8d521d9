"""The prior: weights set by hand, before any session of this shop was learned from.

They say what a shopkeeper would guess, in log-odds: a filled cart and a started checkout raise the odds of an order
more than any browsing; signs of leaving and things that break raise the odds of losing the visitor; looks at prices
and refused coupons speak of price. None of them was fitted, so the scores rank visitors and are not calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MODEL: Final = "prior-1"

BIAS: Final[Mapping[str, float]] = {"propensity": -4.0, "bounce_risk": 0.8, "price_sensitivity": -2.0}
"""Log-odds of a visitor of whom nothing is known yet: 2 % buy, 69 % leave soon, 12 % mind the price most."""

WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    "propensity": {
        "pages": 0.15,
        "products": 0.2,
        "repeat_views": 0.45,
        "engaged": 0.2,
        "reviews": 0.3,
        "searches": 0.15,
        "nothing_found": -0.3,
        "quick_backs": -0.2,
        "coupon_refused": -0.5,
        "coupon_accepted": 0.5,
        "in_cart": 1.7,
        "cart_adds": 0.4,
        "cart_removed": -0.5,
        "checkout": 2.6,
        "form_trouble": -0.3,
        "errors": -0.5,
        "frustration": -0.5,
        "leaving": -0.6,
        "gone_quiet": -2.0,
        "returning": 0.35,
        "cart_before": 0.4,
        "orders": 0.6,
        "known": 0.4,
    },
    "bounce_risk": {
        "pages": -0.6,
        "products": -0.3,
        "engaged": -0.45,
        "depth": -0.4,
        "reviews": -0.3,
        "searches": -0.3,
        "nothing_found": 0.5,
        "quick_backs": 0.4,
        "coupon_refused": 0.5,
        "policy_pages": -0.1,
        "in_cart": -0.9,
        "checkout": -0.8,
        "hesitation": 0.2,
        "form_trouble": 0.5,
        "errors": 0.7,
        "frustration": 0.7,
        "leaving": 1.8,
        "tab_hidden": 0.25,
        "gone_quiet": 2.5,
        "returning": -0.3,
        "known": -0.3,
        "paid_click": 0.2,
    },
    "price_sensitivity": {
        "same_category": 0.2,
        "cheaper_views": 0.7,
        "price_hovers": 1.6,
        "coupon_refused": 3.0,
        "coupon_accepted": 1.0,
        "text_copied": 0.3,
        "cart_removed": 0.4,
        "quick_backs": 0.2,
        "policy_pages": 0.1,
        "paid_click": 0.2,
    },
}
"""Score → feature → change of its log-odds per unit of the feature."""
