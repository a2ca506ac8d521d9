"""What the scores look at: a profile as a fixed row of finite numbers, each small whatever the visitor does."""

from __future__ import annotations

from math import exp, log1p
from typing import Final

from insights.profiles.profile import Profile

FEATURES: Final = (
    "pages",
    "products",
    "same_category",
    "repeat_views",
    "engaged",
    "depth",
    "reviews",
    "searches",
    "nothing_found",
    "quick_backs",
    "cheaper_views",
    "price_hovers",
    "coupon_refused",
    "coupon_accepted",
    "policy_pages",
    "text_copied",
    "in_cart",
    "cart_adds",
    "cart_removed",
    "checkout",
    "hesitation",
    "form_trouble",
    "errors",
    "frustration",
    "leaving",
    "tab_hidden",
    "gone_quiet",
    "returning",
    "cart_before",
    "orders",
    "known",
    "paid_click",
)
"""Names, in the order of the row. Logarithms of counts unless said otherwise in ``features``."""

SKEW_MS: Final = 600_000
"""A browser's clock may be off by this much before the edge corrects it: a shorter silence means nothing."""
FADE_MS: Final = 30_000
MOST: Final = 4.0


def features(profile: Profile, now_ms: int) -> tuple[float, ...]:
    """The row of ``FEATURES``, each from 0 to ``MOST``. ``now_ms`` is the server's clock, epoch milliseconds."""
    p, log_of = profile, _LOGS.get
    compared = p.compared()
    silent = now_ms - p.last_at - SKEW_MS
    # By the visitor's own clock: how long ago the sign of leaving was when they last did something.
    leaving = exp((p.exit_at - p.last_at) / FADE_MS) if p.exits else 0.0
    return (
        log_of(p.pages, MOST),
        log_of(p.products_seen, MOST),
        log_of(compared.same_category, MOST),
        log_of(p.repeats, MOST),
        _log(p.engaged_ms / 10_000),
        p.depth,
        log_of(p.reviews, MOST),
        log_of(p.searches, MOST),
        log_of(p.empty_searches, MOST),
        log_of(p.quick_backs, MOST),
        log_of(p.cheaper, MOST),
        log_of(p.price_hovers, MOST),
        log_of(p.coupons_refused, MOST),
        1.0 if p.coupons_accepted else 0.0,
        log_of(p.policies, MOST),
        log_of(p.copies, MOST),
        1.0 if p.cart_items else 0.0,
        log_of(p.cart_adds, MOST),
        log_of(p.cart_removes, MOST),
        (p.checkout + 2) / 7 if p.checkout else 0.0,
        log_of(p.hesitations, MOST),
        _log(p.refocused / 2 + p.forms_left) if p.refocused or p.forms_left else 0.0,
        _log(p.failures + p.js_errors / 2) if p.failures or p.js_errors else 0.0,
        _log(p.rage_clicks + p.dead_clicks / 2) if p.rage_clicks or p.dead_clicks else 0.0,
        leaving,
        log_of(p.hides, MOST),
        min(1.0, silent / 1_800_000) if silent > 0 and p.last_at else 0.0,
        log_of(p.sessions - 1, MOST) if p.sessions else 0.0,
        log_of(p.carts_left, MOST),
        log_of(p.purchases, MOST),
        1.0 if p.has_email else 0.0,
        1.0 if p.paid_click else 0.0,
    )


def _log(count: float) -> float:
    return min(MOST, log1p(count)) if count > 0 else 0.0


_LOGS: Final = {count: _log(count) for count in range(54)}
"""A count → its logarithm; that of one too large to stand here is ``MOST``."""
