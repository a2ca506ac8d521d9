"""The visitors of the demo: short stories with a reason a shop owner would name, told as the events a browser sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from insights.vocabulary.reasons import Reason

Step = tuple[float, str, dict[str, Any]]
"""Seconds since the step before, event type, props."""


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of visitor. ``expected`` is the reason that a person who watched would name."""

    name: str
    expected: Reason
    steps: tuple[Step, ...]
    email: bool = True
    visits: int = 1


def page(path: str, after: float = 4.0, **props: Any) -> Step:
    """Looks at a page of the shop."""
    return (after, "page_viewed", {"path": path, "url": f"https://shop.example{path}", "title": path, **props})


def product(number: int, category: str, price: int, after: float = 5.0) -> Iterator[Step]:
    """Opens a product's page."""
    yield page(f"/product/{number}", after)
    yield (
        0.3,
        "product_viewed",
        {
            "product_id": f"p{number}",
            "name": f"Sample product {number}",
            "category": category,
            "price_minor": price,
            "currency": "EUR",
        },
    )


def cart(number: int, price: int, after: float = 6.0) -> Step:
    """Puts a product into the cart."""
    props = {
        "product_id": f"p{number}",
        "name": f"Sample product {number}",
        "price_minor": price,
        "quantity": 1,
        "cart_value_minor": price,
        "currency": "EUR",
    }
    return (after, "cart_added", props)


def checkout(price: int, *steps: str) -> Iterator[Step]:
    """Goes through the checkout as far as ``steps``."""
    yield page("/checkout")
    yield (0.5, "checkout_started", {"cart_value_minor": price, "currency": "EUR", "items": 1})
    for step in steps:
        yield (6.0, "checkout_step", {"step": step})


def bought(price: int) -> Step:
    """Orders. The order id is filled in when the story is played."""
    return (5.0, "purchased", {"order_id": "{order}", "value_minor": price, "currency": "EUR", "items": 1})


def failed(after: float = 2.0) -> Step:
    """The cart's API answers 500."""
    return (after, "request_failed", {"method": "POST", "path": "/api/cart", "status": 500, "ms": 412})


CLICK = {"selector": "button.add", "role": "button"}

STORIES: tuple[Story, ...] = (
    Story(
        "the cart answers with errors",
        Reason.TECHNICAL_ERROR,
        (
            page("/"),
            *product(1, "kettles", 8900),
            failed(),
            failed(),
            (1, "rage_click", {**CLICK, "count": 4}),
            failed(),
        ),
    ),
    Story(
        "a script breaks the checkout",
        Reason.TECHNICAL_ERROR,
        (
            page("/"),
            *product(2, "grinders", 12900),
            cart(2, 12900),
            *checkout(12900),
            (2, "js_error", {"message": "total is undefined", "source": "/assets/checkout.js", "line": 40}),
            (1, "dead_click", CLICK),
            (2, "request_failed", {"method": "POST", "path": "/api/checkout", "status": 503, "ms": 900}),
        ),
    ),
    Story(
        "the price makes them pause",
        Reason.PRICE_HESITATION,
        (
            page("/"),
            *product(3, "grinders", 24900),
            (3, "hover_hesitation", {"selector": "#price", "section": "price", "ms": 2000}),
            cart(3, 24900),
            (4, "hover_hesitation", {"selector": "#total", "section": "cart price", "ms": 2000}),
            page("/cart"),
            (5, "coupon_tried", {"accepted": False}),
            (9, "coupon_tried", {"accepted": False}),
        ),
    ),
    Story(
        "the shipping cost is a surprise",
        Reason.PRICE_HESITATION,
        (
            page("/"),
            *product(4, "cups", 1900),
            cart(4, 1900),
            *checkout(1900, "contact", "shipping"),
            (3, "text_selected", {"section": "shipping-cost"}),
            (2, "hover_hesitation", {"selector": ".total", "section": "total", "ms": 2000}),
        ),
    ),
    Story(
        "they are not sure about returns",
        Reason.TRUST_CONCERN,
        (
            page("/"),
            *product(5, "kettles", 9900),
            cart(5, 9900),
            page("/returns"),
            (12, "scrolled", {"depth": 0.9, "section": "returns"}),
            page("/security"),
            (8, "text_selected", {"section": "policy"}),
        ),
    ),
    Story(
        "payment is where they stop",
        Reason.TRUST_CONCERN,
        (
            page("/"),
            *product(6, "beans", 4900),
            cart(6, 4900),
            *checkout(4900, "contact", "shipping", "payment"),
            page("/security", 8),
        ),
    ),
    Story(
        "the form fights back",
        Reason.UX_FRICTION,
        (
            page("/"),
            *product(7, "cups", 2900),
            cart(7, 2900),
            *checkout(2900, "contact"),
            (4, "form_field", {"form": "contact", "field": "phone", "kind": "tel", "focused_ms": 9000, "refocused": 4}),
            (2, "rage_click", {"selector": "#next", "role": "button", "count": 5}),
            (3, "form_abandoned", {"form": "contact", "filled": 3, "fields": 6, "last_field": "phone"}),
        ),
    ),
    Story(
        "the button does nothing",
        Reason.UX_FRICTION,
        (
            page("/"),
            *product(8, "beans", 1900),
            (2, "dead_click", CLICK),
            (2, "dead_click", CLICK),
            (1, "rage_click", {**CLICK, "count": 3}),
            (3, "dead_click", CLICK),
        ),
        email=False,
    ),
    Story(
        "five kettles side by side",
        Reason.COMPARISON_SHOPPING,
        (
            page("/"),
            *product(1, "kettles", 8900),
            *product(9, "kettles", 7900),
            (2, "tab_hidden", {}),
            (20, "tab_returned", {"away_ms": 20000}),
            *product(5, "kettles", 9900),
            *product(1, "kettles", 8900),
            *product(10, "kettles", 12900),
        ),
    ),
    Story(
        "something else comes up",
        Reason.DISTRACTION,
        (
            page("/"),
            *product(11, "beans", 1500),
            (6, "engaged", {"ms": 14000}),
            (5, "tab_hidden", {}),
            (150, "tab_returned", {"away_ms": 150000}),
            cart(11, 1500),
            (9, "tab_hidden", {}),
        ),
    ),
    Story("in and out", Reason.UNCLEAR, (page("/"), (3, "scrolled", {"depth": 0.3})), email=False),
    Story(
        "one look at one cup",
        Reason.UNCLEAR,
        (page("/"), *product(4, "cups", 1900), (4, "scrolled", {"depth": 0.5})),
        email=False,
    ),
    Story(
        "in and bought",
        Reason.CLEAR_CTA,
        (
            page("/"),
            *product(12, "cups", 2400),
            (1, "clicked", {"selector": "#buy", "role": "button", "label": "Add to cart"}),
            cart(12, 2400),
            *checkout(2400, "contact", "shipping", "payment", "review"),
            bought(2400),
        ),
    ),
    Story(
        "others liked it",
        Reason.SOCIAL_PROOF,
        (
            page("/"),
            *product(3, "grinders", 24900),
            (6, "reviews_viewed", {"product_id": "p3", "count": 41}),
            (9, "scrolled", {"depth": 0.8, "section": "reviews"}),
            cart(3, 24900),
            *checkout(24900, "contact", "shipping", "payment", "review"),
            bought(24900),
        ),
    ),
    Story(
        "only three left",
        Reason.URGENCY,
        (
            page("/"),
            *product(2, "grinders", 12900),
            (2, "promo_seen", {"kind": "low_stock", "text": "Only 3 left"}),
            (300, "engaged", {"ms": 3000}),
            cart(2, 12900),
            *checkout(12900, "contact", "shipping", "payment"),
            bought(12900),
        ),
    ),
    Story(
        "back for the one they wanted",
        Reason.RETURNING_INTENT,
        (
            page("/"),
            *product(9, "kettles", 7900),
            (420, "engaged", {"ms": 3000}),
            cart(9, 7900),
            *checkout(7900),
            bought(7900),
        ),
        visits=2,
    ),
    Story(
        "a code that worked",
        Reason.VALUE_FIT,
        (
            page("/"),
            *product(6, "beans", 4900),
            (2, "promo_seen", {"kind": "code", "text": "WELCOME10"}),
            (280, "engaged", {"ms": 3000}),
            cart(6, 4900),
            (3, "coupon_tried", {"accepted": True}),
            *checkout(4410, "contact"),
            bought(4410),
        ),
    ),
)
