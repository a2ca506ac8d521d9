"""What a basket costs and what may happen to it next: lines, a discount code, delivery, the steps of the checkout.

Pure: prices come from the catalogue, never from the caller. All amounts are integer minor units and include tax.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Final

from insights.demo.catalogue import Catalogue, Product
from insights.vocabulary.checkout import CHECKOUT_STEPS

MOST_OF_ONE: Final = 10
FREE_FROM_MINOR: Final = 6000
DELIVERY_MINOR: Final = {"standard": 490, "express": 990}
SURCHARGE_MINOR: Final = 2400
PAYMENTS: Final = ("demo-card", "invoice", "pickup")
COUNTRIES: Final = {"NL": "Netherlands", "DE": "Germany", "BE": "Belgium", "FR": "France", "AT": "Austria"}

_EMAIL = re.compile(r"[^@\s<>\"',;:]{1,64}@[^@\s<>\"',;:]+\.[^@\s<>\"',;:.]{2,}")


class NotNow(Exception):
    """The shop declines. ``status`` is the HTTP status, ``detail`` the sentence for the customer."""

    def __init__(self, status: int, detail: str, *, field: str | None = None, step: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.step = step


@dataclass
class Basket:
    """One visitor's basket and how far its checkout got. ``order_id`` is the number the order will carry."""

    order_id: str = field(default_factory=lambda: "QK-" + secrets.token_hex(4).upper())
    lines: dict[str, int] = field(default_factory=dict)
    code: str | None = None
    percent: int = 0
    contact: dict[str, Any] | None = None
    shipping: dict[str, Any] | None = None
    payment: dict[str, Any] | None = None

    @property
    def next_step(self) -> str:
        """The first step that is not filled in; ``review`` when all are."""
        done = {"contact": self.contact, "shipping": self.shipping, "payment": self.payment}
        return next((step for step, answer in done.items() if answer is None), "review")


@dataclass(frozen=True)
class Totals:
    """``shipping_minor`` is None until a way of delivery is chosen; ``total_minor`` leaves it out until then."""

    subtotal_minor: int
    discount_minor: int
    shipping_minor: int | None
    total_minor: int


def delivery_minor(method: str, subtotal_minor: int, *, surcharge: bool) -> int:
    """What delivery costs. Standard is free from FREE_FROM_MINOR on; a surcharge knows no free delivery."""
    if surcharge:
        return DELIVERY_MINOR[method] + SURCHARGE_MINOR
    if method == "standard" and subtotal_minor >= FREE_FROM_MINOR:
        return 0
    return DELIVERY_MINOR[method]


def totals(basket: Basket, catalogue: Catalogue) -> Totals:
    """Add up. The discount is rounded half up to whole minor units and never touches delivery."""
    subtotal = sum(product.price_minor * quantity for product, quantity in contents(basket, catalogue))
    discount = (subtotal * basket.percent + 50) // 100
    shipping = None
    if basket.shipping is not None:
        shipping = delivery_minor(basket.shipping["method"], subtotal, surcharge=bool(basket.shipping["surcharge"]))
    return Totals(subtotal, discount, shipping, subtotal - discount + (shipping or 0))


def contents(basket: Basket, catalogue: Catalogue) -> list[tuple[Product, int]]:
    """Products and quantities in the order they were put in."""
    found = ((catalogue.product(product_id), quantity) for product_id, quantity in basket.lines.items())
    return [(product, quantity) for product, quantity in found if product is not None]


def change(basket: Basket, product: Product, quantity: int, *, in_stock: int) -> None:
    """Set how many of ``product`` are in the basket; 0 takes it out. Raises NotNow when there are not as many."""
    if quantity < 0:
        raise NotNow(422, "The quantity cannot be less than zero.", field="quantity")
    if quantity > MOST_OF_ONE:
        raise NotNow(409, f"We send at most {MOST_OF_ONE} of one thing in an order.", field="quantity")
    if quantity > in_stock:
        left = f"Only {in_stock} left" if in_stock else "None left"
        raise NotNow(409, f"{left} of {product.name}.", field="quantity")
    if quantity:
        basket.lines[product.id] = quantity
    else:
        basket.lines.pop(product.id, None)


def answer_step(basket: Basket, step: str, answers: dict[str, Any], *, surcharge: bool) -> None:
    """Take one checkout step's answers. Raises NotNow naming the field, or the step that has to come first."""
    if not basket.lines:
        raise NotNow(409, "The basket is empty. Put something in first.")
    if step not in CHECKOUT_STEPS:
        raise NotNow(422, f"A checkout step is one of {', '.join(CHECKOUT_STEPS)}.", field="step")
    if CHECKOUT_STEPS.index(step) > CHECKOUT_STEPS.index(basket.next_step):
        raise NotNow(409, f"Fill in the step “{basket.next_step}” first.", step=basket.next_step)
    if step == "contact":
        email = _text(answers, "email", 254, "Enter your e-mail address.")
        if not _EMAIL.fullmatch(email):
            raise NotNow(422, "Enter an e-mail address like name@example.com.", field="email")
        basket.contact = {"email": email, "mail_me": answers.get("mail_me") is True}
    elif step == "shipping":
        place = {
            "name": _text(answers, "name", 100, "Enter the name on the parcel."),
            "street": _text(answers, "street", 120, "Enter street and number."),
            "postcode": _text(answers, "postcode", 12, "Enter the postcode."),
            "city": _text(answers, "city", 80, "Enter the town."),
        }
        country = _choice(answers, "country", COUNTRIES, "Choose a country from the list.")
        method = _choice(answers, "method", DELIVERY_MINOR, "Choose how we should deliver.")
        basket.shipping = {**place, "country": country, "method": method, "surcharge": surcharge}
    elif step == "payment":
        basket.payment = {"method": _choice(answers, "method", PAYMENTS, "Choose how you want to pay.")}


def _text(answers: dict[str, Any], name: str, longest: int, advice: str) -> str:
    value = answers.get(name)
    if not isinstance(value, str) or not (value := value.strip()) or len(value) > longest:
        raise NotNow(422, advice, field=name)
    return value


def _choice(answers: dict[str, Any], name: str, offered: Container[str], advice: str) -> str:
    value = answers.get(name)
    if not isinstance(value, str) or value not in offered:
        raise NotNow(422, advice, field=name)
    return value
