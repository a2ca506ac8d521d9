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
    p = profile
    compared = p.compared()
    silent = now_ms - p.last_at - SKEW_MS
    # By the visitor's own clock: how long ago the sign of leaving was when they last did something.
    leaving = exp((p.exit_at - p.last_at) / FADE_MS) if p.exits else 0.0
    return (
        _LOGS[p.pages],
        _LOGS[p.products_seen],
        _LOGS[compared.same_category],
        _LOGS[p.repeats],
        _log(p.engaged_ms / 10_000),
        p.depth,
        _LOGS[p.reviews],
        _LOGS[p.searches],
        _LOGS[p.empty_searches],
        _LOGS[p.quick_backs],
        _LOGS[p.cheaper],
        _LOGS[p.price_hovers],
        _LOGS[p.coupons_refused],
        1.0 if p.coupons_accepted else 0.0,
        _LOGS[p.policies],
        _LOGS[p.copies],
        1.0 if p.cart_items else 0.0,
        _LOGS[p.cart_adds],
        _LOGS[p.cart_removes],
        (p.checkout + 2) / 7 if p.checkout else 0.0,
        _LOGS[p.hesitations],
        _log(p.refocused / 2 + p.forms_left) if p.refocused or p.forms_left else 0.0,
        _log(p.failures + p.js_errors / 2) if p.failures or p.js_errors else 0.0,
        _log(p.rage_clicks + p.dead_clicks / 2) if p.rage_clicks or p.dead_clicks else 0.0,
        leaving,
        _LOGS[p.hides],
        min(1.0, silent / 1_800_000) if silent > 0 and p.last_at else 0.0,
        _LOGS[p.sessions - 1] if p.sessions else 0.0,
        _LOGS[p.carts_left],
        _LOGS[p.purchases],
        1.0 if p.has_email else 0.0,
        1.0 if p.paid_click else 0.0,
    )


def _log(count: float) -> float:
    return min(MOST, log1p(count)) if count > 0 else 0.0


class _Logs(dict[int, float]):
    """A count → its logarithm, ``MOST`` for one that is too large to stand here."""

    def __missing__(self, count: int) -> float:
        return MOST


_LOGS: Final = _Logs({count: _log(count) for count in range(54)})
