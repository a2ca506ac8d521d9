"""What refunds leave of an order: once each, in parts, before it, and in another currency."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from insights.learning.rewards import Order, Unit, refund_of

ORDER = Order("1", datetime(2026, 11, 22, tzinfo=UTC), 10_000, "EUR")


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([], 4_000.0),
        ([{"value_minor": 2_500, "currency": "EUR"}], 3_000.0),
        ([{"value_minor": 2_500, "refund_id": "r"}] * 2, 3_000.0),
        ([{"value_minor": 2_500}, {"value_minor": 2_500}], 2_000.0),
        ([{"value_minor": 9_000}, {"value_minor": 9_000}], 0.0),
        ([{}], 0.0),
        ([{"value_minor": 1_500, "currency": "JPY"}], 0.0),
        ([{"value_minor": 0, "currency": "JPY"}], 4_000.0),
    ],
)
def test_a_refund_takes_back_its_part_and_all_where_its_part_cannot_be_known(
    told: list[dict[str, Any]], left: float
) -> None:
    refunds = [refund_of({"order_id": "1", **props}, f"event {number}") for number, props in enumerate(told)]
    found = [refund for refund in refunds if refund is not None]
    assert len(found) == len(told)
    assert Unit(0.4, "EUR").worth(ORDER, found) == pytest.approx(left)
    assert Unit().worth(ORDER, found) == (1.0 if left else 0.0)


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        (Unit(0.4, "EUR"), 152.34, "1.523 EUR"),
        (Unit(0.4, "EUR"), 123_456.0, "1,235 EUR"),
        (Unit(0.4, "JPY"), 25_310.0, "25,310 JPY"),
        (Unit(0.4, "EUR"), -3.2, "-0.03200 EUR"),
        (Unit(0.4, "EUR"), 0.0, "0 EUR"),
        (Unit(), 0.03125, "0.03125"),
    ],
)
def test_what_is_earned_is_told_as_an_amount_and_without_powers_of_ten(unit: Unit, value: float, said: str) -> None:
    """A margin of 25,310 yen a decision was 2.531e+04, and one of a euro and a half 152.3."""
    assert unit.said(value) == said
