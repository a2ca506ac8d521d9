from __future__ import annotations

import pytest

from insights.decisions.content import ShopFacts
from insights.decisions.incentives import Incentive, cannot_bear
from insights.profiles.profile import Profile


def why_not(cart_minor: int, margin_rate: float, incentive: Incentive) -> str | None:
    facts = ShopFacts(currency="EUR", margin_rate=margin_rate)
    return cannot_bear(Profile(cart_minor=cart_minor, currency="EUR"), incentive, facts)


@pytest.mark.parametrize("cart_minor", [100, 4_995, 4_999, 5_001, 123_457])
def test_a_cart_that_leaves_just_the_margin_it_must_bears_the_discount_whatever_its_cents(cart_minor: int) -> None:
    assert why_not(cart_minor, 0.3, Incentive(percent=10, margin_floor=0.2)) is None


def test_a_coin_less_is_too_little() -> None:
    assert why_not(5_000, 0.3, Incentive(percent=10, cost_minor=1, margin_floor=0.2)) is not None
    assert why_not(5_000, 0.3, Incentive(percent=11, margin_floor=0.2)) is not None
