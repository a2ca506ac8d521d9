"""The names of Segment's e-commerce spec in our words, with the properties they come with. Pure.

After https://segment.com/docs/connections/spec/ecommerce/v2/ .
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from insights.events.dialects import commerce
from insights.events.dialects.commerce import ProductFields, props_of
from insights.events.dialects.names import SEGMENT
from insights.events.dialects.translation import ONLINE, Untranslatable, text

_PRODUCT: Final = ProductFields(
    id=("product_id", "productId", "id", "sku"),
    name=("name", "title"),
    category=("category",),
    price=("price",),
    quantity=("quantity",),
)
_PRODUCT_NAMES: Final = (*_PRODUCT.id[:3], "name", "title", "category", "price", "quantity", "currency")
_TOTAL: Final = ("total", "revenue", "value", "subtotal")

_Event = tuple[str, dict[str, Any]] | None
_EventReader = Callable[[Mapping[str, Any], Mapping[str, Any]], _Event]
_PATH: Final = "properties."


def read(name: str, said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    """Our type and props of a tracked event with the properties ``said``.

    None where the spec has no such name, or too little is said for our event. Raises Untranslatable.
    """
    reader = _BY_NAME.get(normal(name))
    return reader(said, message) if reader is not None else None


def normal(name: str) -> str:
    """A name of the e-commerce spec however it is written: ``Order_Completed`` is ``order completed``."""
    return re.sub(r"[\s_\-]+", " ", name).strip().lower()


def _product_event(type_: str) -> _EventReader:
    def read(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
        code = commerce.currency(said, _PATH)
        known = commerce.product(said, _PRODUCT, code, _PATH)
        if known is None:
            return None
        if type_ != "product_viewed":
            known["cart_value_minor"] = commerce.amount(said, ("cart_value", "cart_total"), code, _PATH)
        return type_, props_of(type_, said, (*_PRODUCT_NAMES, "cart_value", "cart_total"), known)

    return read


def _checkout_started(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    code = commerce.currency(said, _PATH)
    items = commerce.products(said.get("products"), _PRODUCT, code, "properties.products")
    value, code = commerce.total(said, ("value", "total", "revenue", "subtotal"), code, items, _PATH)
    known = {
        "cart_value_minor": value,
        "currency": code,
        "items": commerce.pieces(items) or None,
        "products": commerce.named(items),
    }
    return "checkout_started", props_of("checkout_started", said, ("products", *_TOTAL), known)


def _checkout_step(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    _, value = commerce.first(said, ("step_name", "step"))
    if value is None:
        return None
    known = {"step": commerce.checkout_step(text(value, "properties.step"))}
    return "checkout_step", props_of("checkout_step", said, (), known)


def _checkout_step_done(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    read = _checkout_step(said, message)
    return None if read is None else (read[0], {**read[1], "step": commerce.next_step(read[1]["step"])})


def _payment_entered(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    return "checkout_step", props_of("checkout_step", said, (), {"step": "review"})


def _ordered(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    code = commerce.currency(said, _PATH)
    items = commerce.products(said.get("products"), _PRODUCT, code, "properties.products")
    value, code = commerce.total(said, _TOTAL, code, items, _PATH)
    known = {
        "order_id": _order_id(said, message),
        "value_minor": value,
        "margin_minor": commerce.amount(said, ("margin", "profit"), code, _PATH),
        "currency": code,
        "items": commerce.named(items),
        ONLINE: said.get(ONLINE),
    }
    used = ("orderId", "products", "margin", "profit", *_TOTAL)
    return "purchased", props_of("purchased", said, used, known)


def _refunded(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    return _taken_back(said, message, commerce.given_back)


def _cancelled(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    # All of it, where nothing says what it came to.
    return _taken_back(said, message, commerce.total)


def _taken_back(said: Mapping[str, object], message: Mapping[str, object], worth: commerce.Worth) -> _Event:
    code = commerce.currency(said, _PATH)
    items = commerce.products(said.get("products"), _PRODUCT, code, "properties.products")
    value, code = worth(said, _TOTAL, code, items, _PATH)
    known = {
        "order_id": _order_id(said, message),
        # Some say it as a negative amount.
        "value_minor": None if value is None else abs(value),
        "currency": code,
        "refund_id": text(said.get("refund_id"), "properties.refund_id") or text(message.get("messageId"), "messageId"),
    }
    return "refunded", props_of("refunded", said, ("orderId", *_TOTAL), known)


def _order_id(said: Mapping[str, object], message: Mapping[str, object]) -> str:
    name, value = commerce.first(said, ("order_id", "orderId", "id", "checkout_id"))
    # An order without a number is still an order: its message names it.
    order_id = text(value, f"{_PATH}{name}") or text(message.get("messageId"), "messageId")
    if order_id is None:
        raise Untranslatable(f"{_PATH}order_id: is missing; it tells this order from others")
    return order_id


def _searched(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
    known = {
        "query": text(said.get("query"), "properties.query"),
        "results": commerce.quantity(said, ("results", "results_count"), _PATH),
    }
    return "searched", props_of("searched", said, ("results_count",), known)


def _coupon(accepted: bool) -> _EventReader:
    def read(said: Mapping[str, object], message: Mapping[str, object]) -> _Event:
        return "coupon_tried", props_of("coupon_tried", said, (), {"accepted": accepted})

    return read


def _promotion(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    words = [said[name] for name in ("name", "creative", "promotion_id") if isinstance(said.get(name), str)]
    kind = commerce.promotion_kind(*words)
    if kind is None:
        return None
    return "promo_seen", props_of("promo_seen", said, (), {"kind": kind, "text": words[0]})


_BY_TYPE: Final[dict[str, _EventReader]] = {
    "searched": _searched,
    "product_viewed": _product_event("product_viewed"),
    "cart_added": _product_event("cart_added"),
    "cart_removed": _product_event("cart_removed"),
    "checkout_started": _checkout_started,
    "checkout_step": _checkout_step,
    "purchased": _ordered,
    "refunded": _refunded,
    "coupon_tried": _coupon(True),
    "promo_seen": _promotion,
}
_BY_NAME: Final[dict[str, _EventReader]] = {
    **{name: _BY_TYPE[type_] for name, type_ in SEGMENT.items()},
    "checkout step completed": _checkout_step_done,
    "coupon denied": _coupon(False),
    "order cancelled": _cancelled,
    "payment info entered": _payment_entered,
}
