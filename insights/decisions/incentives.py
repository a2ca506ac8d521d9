"""Incentives: what an action gives away, and whether the cart can bear it. Without margin data nothing is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from insights.decisions.content import ShopFacts
from insights.profiles.profile import Profile

NO_MARGIN: Final = "no margin data"


@dataclass(frozen=True, slots=True)
class Incentive:
    """``percent`` off the cart by a single-use code that is good for ``valid_days``; ``cost_minor`` on top of that.

    ``margin_floor``: the share of the cart that must be left of its margin. ``budget_minor``: most that may be given
    away a day (None: no limit). ``per_visitor``: codes that one visitor ever gets, on all
    devices known to be theirs by their account, e-mail address or telephone number; ``per_email``: codes that one
    mailbox ever gets (None: as ``per_visitor``): fresh accounts and spellings of its address do not help;
    ``per_device``: codes a day for one device, by its address and browser: fresh visitor ids do not help.
    """

    percent: int = 0
    cost_minor: int = 0
    valid_days: int = 7
    margin_floor: float = 0.0
    budget_minor: int | None = None
    per_visitor: int = 1
    per_email: int | None = None
    per_device: int = 3

    def cost_of(self, cart_minor: int) -> int:
        """What it gives away of a cart, in minor units, rounded up: a budget is never overdrawn by rounding."""
        return -(-cart_minor * self.percent // 100) + self.cost_minor


def margin_left(cart_minor: int, incentive: Incentive, facts: ShopFacts) -> float | None:
    """What a cart leaves after the incentive and the delivery that the shop pays; None without margin data."""
    if facts.margin_rate is None:
        return None
    threshold = facts.free_shipping_from_minor
    delivery = (facts.shipping_cost_minor or 0) if threshold is not None and cart_minor >= threshold else 0
    return cart_minor * facts.margin_rate - incentive.cost_of(cart_minor) - delivery


def cannot_bear(profile: Profile, incentive: Incentive, facts: ShopFacts) -> str | None:
    """Why the cart cannot bear the incentive; None when it can."""
    left = margin_left(profile.cart_minor, incentive, facts)
    if left is None or not facts.currency:
        return NO_MARGIN
    if profile.cart_minor <= 0:
        return "the cart's value is not known"
    if profile.currency and profile.currency != facts.currency:
        return f"the cart is in {profile.currency}, the margin in {facts.currency}"
    # Less than a coin is rounding: the discount's, which goes up, or that of 0.3 - 0.1.
    if left <= incentive.margin_floor * profile.cart_minor - 1:
        return "it would leave less margin than it must"
    return None
