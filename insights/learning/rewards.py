"""What a decision earned: the margin of the orders that followed it in time, less what was given back.

An action that was never shown earned nothing and lost nothing: it has no reward at all, not one of zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor, isfinite, log10
from typing import Final

from insights.decisions.outcomes import Outcome
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.money import minor_digits

WINDOW: Final = timedelta(hours=24)
"""Orders up to this long after a decision are put down to it."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the visitor. ``value_minor`` None: the shop did not say."""

    key: str
    at: datetime
    value_minor: int | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund of an order: all of it where ``value_minor`` is None. ``currency`` None: that of the order."""

    order_key: str
    refund_key: str
    value_minor: int | None
    currency: str | None = None

    def is_whole(self, order: Order) -> bool:
        """Whether nothing can be said to be left of ``order``. What part of it another currency's amount is, nobody
        knows: no rate is guessed, and nothing is counted as earned that may have gone back."""
        if self.value_minor is None:
            return True
        told = None not in (self.currency, order.currency)
        return told and self.currency != order.currency and self.value_minor > 0


@dataclass(frozen=True, slots=True)
class Unit:
    """What rewards are counted in: margin in minor units of ``currency``, or orders where the shop gave no margin.

    Orders of another currency, or without a value, count as nothing in margin: no rate is guessed.
    """

    margin_rate: float | None = None
    currency: str | None = None

    @property
    def name(self) -> str:
        """What the figures of the API are in."""
        return "orders" if self.margin_rate is None else f"margin, minor units of {self.currency}"

    @property
    def words(self) -> str:
        """What figures are in that ``said`` wrote."""
        return "orders" if self.margin_rate is None else f"margin in {self.currency}"

    def said(self, value: float) -> str:
        """A figure for people, to four digits that tell something: a number of orders, or an amount of the currency."""
        amount, after = value, ""
        if self.margin_rate is not None:
            amount, after = value / 10 ** minor_digits(self.currency), f" {self.currency}"
        places = 3 - floor(log10(abs(amount))) if amount and isfinite(amount) else 0
        return f"{amount:,.{min(max(places, 0), 8)}f}{after}"

    def worth(self, order: Order, refunds: Iterable[GivenBack], percent: int = 0) -> float:
        """What ``order`` leaves after ``refunds``, each counted once, when it was paid with ``percent`` off."""
        kept = self._kept(order, {refund.refund_key: refund for refund in refunds})
        if self.margin_rate is None:
            return 1.0 if kept > 0 else 0.0
        if order.value_minor is None or order.currency != self.currency:
            return 0.0
        # The value is what was paid: the margin is a share of the price before the discount, which comes off it whole.
        full = order.value_minor / (1.0 - percent / 100)
        return (self.margin_rate - percent / 100) * full * kept

    @staticmethod
    def _kept(order: Order, refunds: Mapping[str, GivenBack]) -> float:
        if any(refund.is_whole(order) for refund in refunds.values()):
            return 0.0
        if not order.value_minor:
            return 0.0 if refunds else 1.0
        back = sum(refund.value_minor or 0 for refund in refunds.values())
        return max(0.0, 1.0 - back / order.value_minor)


def reward_of(
    decided_at: datetime,
    action: LiveAction,
    outcome: Outcome | None,
    orders: Iterable[Order],
    refunds: Mapping[str, list[GivenBack]],
    unit: Unit,
    percents: Mapping[str, int],
) -> float | None:
    """What a decision earned in ``unit``; None when it has no reward: its action was never seen.

    ``refunds`` by the key of their order, and ``percents`` off those that were paid with a code of ours. The same order
    stands for every decision that came before it in time.
    """
    if outcome is None and action is not LiveAction.DO_NOTHING:
        return None
    until = decided_at + WINDOW
    return sum(
        unit.worth(order, refunds.get(order.key, ()), percents.get(order.key, 0))
        for order in orders
        if decided_at < order.at <= until
    )


def refund_of(props: Mapping[str, object], event_id: str) -> GivenBack | None:
    """The refund that a ``refunded`` event tells of; None when it names no order."""
    order = props.get("order_id")
    if not isinstance(order, str) or not order:
        return None
    value, currency = props.get("value_minor"), props.get("currency")
    name = props.get("refund_id")
    return GivenBack(
        order,
        name if isinstance(name, str) and name else event_id,
        value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None,
        currency if isinstance(currency, str) else None,
    )
