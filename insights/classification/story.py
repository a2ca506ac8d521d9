"""A timeline read once: the events a reason may look at, grouped and cleaned of noise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from insights.timeline.assemble import cart_after
from insights.timeline.timeline import PriorVisits, Timeline, TimelineEvent

SHOPPING_PATH = re.compile(r"/(api/)?(cart|basket|bag|checkout|order|payment|coupon|warenkorb|kasse)", re.IGNORECASE)
POLICY_PATH = re.compile(
    r"(return|refund|policy|policies|terms|privacy|security|secure|shipping|delivery|warranty|guarantee|trust|imprint"
    r"|impressum|contact|about|faq|widerruf|versand)",
    re.IGNORECASE,
)
PRICE_WORDS = re.compile(r"(price|preis|total|subtotal|shipping-cost|cost)", re.IGNORECASE)
SLOW_MS = 5_000
LONG_AWAY_MS = 120_000
"""A tab hidden longer than this was left for something else, not glanced away from."""


@dataclass(frozen=True)
class Story:
    """What happened, by kind. Lists keep the timeline's order."""

    timeline: Timeline

    @property
    def events(self) -> tuple[TimelineEvent, ...]:
        return self.timeline.events

    @property
    def prior(self) -> PriorVisits:
        return self.timeline.prior

    def of(self, *types: str, when: Callable[[TimelineEvent], bool] | None = None) -> list[TimelineEvent]:
        """Events of these types, in order, that satisfy ``when``."""
        return [event for event in self.events if event.type in types and (when is None or when(event))]

    @cached_property
    def purchase(self) -> TimelineEvent | None:
        return next((event for event in self.events if event.type == "purchased"), None)

    @cached_property
    def cart_value(self) -> int:
        return cart_after(self.events)[0] or 0

    @cached_property
    def filled_cart(self) -> bool:
        """Something was in the cart when they left."""
        if self.cart_value > 0:
            return True
        added = len(self.of("cart_added"))
        return added > len(self.of("cart_removed")) or bool(self.of("checkout_started"))

    @cached_property
    def in_checkout(self) -> bool:
        return bool(self.of("checkout_started", "checkout_step"))

    @cached_property
    def blocking_failures(self) -> list[TimelineEvent]:
        """Requests that stood in the way: no answer or 5xx on the way to the order.

        A refusal (4xx) is the shop's answer, a wrong coupon say, and no defect; a failed request elsewhere on the page
        is usually a tracker or a picture that nobody missed.
        """
        return self.of("request_failed", when=lambda event: _broken(event) and bool(SHOPPING_PATH.search(_path(event))))

    @cached_property
    def slow_requests(self) -> list[TimelineEvent]:
        """Requests on the way to the order that were answered, but took as long as people wait at most."""
        blocking = {event.id for event in self.blocking_failures}
        return self.of(
            "request_failed",
            when=lambda event: (
                _number(event, "ms") >= SLOW_MS
                and bool(SHOPPING_PATH.search(_path(event)))
                and event.id not in blocking
            ),
        )

    @cached_property
    def other_failures(self) -> list[TimelineEvent]:
        """Broken requests elsewhere."""
        blocking = {event.id for event in self.blocking_failures}
        return self.of("request_failed", when=lambda event: _broken(event) and event.id not in blocking)

    @cached_property
    def script_errors(self) -> list[TimelineEvent]:
        return self.of("js_error")

    def followed_by(self, first: list[TimelineEvent], then: list[TimelineEvent]) -> list[TimelineEvent]:
        """Those of ``then`` that came within 30 s after one of ``first``."""
        return [b for b in then if any(0 <= (b.at - a.at).total_seconds() <= 30 for a in first)]

    @cached_property
    def policy_pages(self) -> list[TimelineEvent]:
        return self.of("page_viewed", when=lambda event: bool(POLICY_PATH.search(event.path)))

    @cached_property
    def price_hovers(self) -> list[TimelineEvent]:
        return self.of("hover_hesitation", when=lambda event: _mentions_price(event))

    @cached_property
    def price_texts(self) -> list[TimelineEvent]:
        return self.of("text_copied", "text_selected", when=lambda event: _mentions_price(event))

    @cached_property
    def products(self) -> list[TimelineEvent]:
        """First views of distinct products."""
        seen: dict[str, TimelineEvent] = {}
        for event in self.of("product_viewed"):
            seen.setdefault(str(event.props.get("product_id")), event)
        return list(seen.values())

    @cached_property
    def main_category(self) -> list[TimelineEvent]:
        """First views of distinct products in the category most looked at."""
        by_category = Counter(_text(event, "category") for event in self.products if _text(event, "category"))
        if not by_category:
            return []
        category = by_category.most_common(1)[0][0]
        return [event for event in self.products if _text(event, "category") == category]

    @cached_property
    def repeated_views(self) -> list[TimelineEvent]:
        """Views of a product that had been seen before, with another one in between."""
        again: list[TimelineEvent] = []
        seen: list[str] = []
        for event in self.of("product_viewed"):
            product = str(event.props.get("product_id"))
            if product in seen and seen[-1] != product:
                again.append(event)
            seen.append(product)
        return again

    @cached_property
    def long_absences(self) -> list[TimelineEvent]:
        """Returns after a long time in another tab, and a hidden tab that nobody came back to."""
        returned = self.of("tab_returned", when=lambda event: _number(event, "away_ms") >= LONG_AWAY_MS)
        hidden = self.of("tab_hidden", "tab_returned")
        left = [hidden[-1]] if hidden and hidden[-1].type == "tab_hidden" else []
        return [*returned, *left]

    @cached_property
    def engaged_ms(self) -> float:
        return sum(_number(event, "ms") for event in self.of("engaged"))

    def last_event_is(self, *types: str) -> bool:
        """Whether the last thing they did themselves is one of these."""
        own = [
            event
            for event in self.events
            if event.type not in ("session_ended", "tab_hidden", "action_shown", "engaged")
        ]
        return bool(own) and own[-1].type in types


def _broken(event: TimelineEvent) -> bool:
    status = _number(event, "status")
    return status == 0 or status >= 500


def _path(event: TimelineEvent) -> str:
    path = event.props.get("path")
    return path if isinstance(path, str) else ""


def _text(event: TimelineEvent, name: str) -> str:
    value = event.props.get(name)
    return value if isinstance(value, str) else ""


def _number(event: TimelineEvent, name: str) -> float:
    value: Any = event.props.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _mentions_price(event: TimelineEvent) -> bool:
    return bool(PRICE_WORDS.search(f"{_text(event, 'selector')} {_text(event, 'section')}"))
