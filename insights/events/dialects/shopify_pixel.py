"""Shopify's Web Pixel events in our words, as ``analytics.subscribe`` hands them to a pixel. Pure.

After the page "Standard events" of Shopify's Web Pixels API. The visitor is the event's ``clientId``, unless whoever
sends it knows ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from insights.events.dialects import commerce
from insights.events.dialects.commerce import ProductFields, props_of
from insights.events.dialects.names import SHOPIFY_PIXEL, SHOPIFY_STEPS
from insights.events.dialects.translation import (
    Envelope,
    Translated,
    Untranslatable,
    Who,
    content_key,
    epoch_ms,
    mapping,
    text,
)

_FLAT: Final = ProductFields(
    id=("id",), name=("name",), category=("category",), price=("price",), quantity=("quantity",)
)


def translate(message: object, envelope: Envelope) -> list[Translated]:
    """One event. ``envelope.context``: ``visitor`` and ``session`` of ours, where the pixel found them; ``signatures``.

    Raises Untranslatable, naming the field.
    """
    event = mapping(message, "event")
    name = text(event.get("name"), "name")
    if name is None or len(name) > 200:
        raise Untranslatable("name: is missing; send the event as Shopify gives it, with name, id, clientId and data")
    data = mapping(event.get("data"), "data")
    context = mapping(event.get("context"), "context")
    document = mapping(context.get("document"), "context.document")
    around = mapping(envelope.context, "body")
    type_ = SHOPIFY_PIXEL.get(name)
    props = _READERS[type_](data, document, name) if type_ is not None else None
    if props is None or type_ is None:
        custom = event.get("customData")
        kept = custom if isinstance(custom, dict) else dict(data)
        type_, props = "custom", {"name": name, "props": kept}
    timestamp = event.get("timestamp")
    own = text(event.get("id"), "id")
    session = text(around.get("session"), "session")
    return [
        Translated(
            key=own if own is not None else content_key(event, envelope, dated=timestamp is not None),
            type=type_,
            props=props,
            who=_who(event, data, around),
            at_ms=envelope.received_ms if timestamp is None else epoch_ms(timestamp, "timestamp"),
            url=_url(document),
            session=session[:200] if session else None,
            signatures=mapping(around.get("signatures"), "signatures"),
        )
    ]


def order_key(value: object, name: str) -> str | None:
    """The bare number of an order or product: ``gid://shopify/Order/42`` is ``42``, as webhooks say it."""
    said = text(value, name)
    return said.rpartition("/")[2].partition("?")[0] or None if said is not None else None


def _who(event: Mapping[str, object], data: Mapping[str, object], around: Mapping[str, object]) -> Who:
    client_id = text(event.get("clientId"), "clientId")
    checkout = mapping(data.get("checkout"), "data.checkout")
    ours = text(around.get("visitor"), "visitor")
    visitor = None
    if ours is not None:
        try:
            visitor = UUID(ours)
        except ValueError:
            visitor = None
        if visitor is None or not visitor.int:
            raise Untranslatable("visitor: must be a UUID other than zero")
    if client_id is None and visitor is None:
        raise Untranslatable("clientId: is missing; send the event as Shopify gives it")
    customer = mapping(mapping(checkout.get("order"), "data.checkout.order").get("customer"), "order.customer")
    return Who(
        visitor=visitor,
        anonymous_id=client_id,
        user_id=order_key(customer.get("id"), "order.customer.id"),
        email=text(checkout.get("email"), "data.checkout.email"),
        phone=text(checkout.get("phone"), "data.checkout.phone"),
    )


def _url(document: Mapping[str, object]) -> str | None:
    href = mapping(document.get("location"), "context.document.location").get("href")
    return href[:4096] if isinstance(href, str) and href else None


def _money(value: object, name: str) -> tuple[Any, str | None]:
    """Amount and currency of ``{"amount": 12.5, "currencyCode": "EUR"}``."""
    said = mapping(value, name)
    return said.get("amount"), text(said.get("currencyCode"), f"{name}.currencyCode")


def _variant(
    variant: Mapping[str, object], quantity: object, price: object, code: str | None, path: str
) -> dict[str, Any] | None:
    product = mapping(variant.get("product"), f"{path}.product")
    flat = {
        "id": order_key(product.get("id"), f"{path}.product.id") or order_key(variant.get("id"), f"{path}.id"),
        "name": product.get("title") or variant.get("title"),
        "category": product.get("type"),
        "price": price,
        "quantity": quantity,
    }
    return commerce.product(flat, _FLAT, _code(code, path), f"{path}.")


def _code(said: str | None, path: str) -> str | None:
    return commerce.currency({"currency": said}, f"{path}.")


_Props = dict[str, Any] | None


def _viewed(data: Mapping[str, object], document: Mapping[str, object], name: str) -> _Props:
    variant = mapping(data.get("productVariant"), "data.productVariant")
    amount, code = _money(variant.get("price"), "data.productVariant.price")
    known = _variant(variant, None, amount, code, "data.productVariant")
    return None if known is None else props_of("product_viewed", {}, (), known)


def _cart_changed(data: Mapping[str, object], document: Mapping[str, object], name: str) -> _Props:
    line = mapping(data.get("cartLine"), "data.cartLine")
    variant = mapping(line.get("merchandise"), "data.cartLine.merchandise")
    amount, code = _money(variant.get("price"), "data.cartLine.merchandise.price")
    known = _variant(variant, line.get("quantity"), amount, code, "data.cartLine.merchandise")
    return None if known is None else props_of("cart_added", {}, (), known)


def _lines(checkout: Mapping[str, object], code: str | None) -> list[dict[str, Any]]:
    lines = checkout.get("lineItems")
    if lines is None:
        return []
    if not isinstance(lines, list):
        raise Untranslatable("data.checkout.lineItems: must be a list")
    found = []
    for index, item in enumerate(lines[: commerce.MOST_ITEMS]):
        path = f"data.checkout.lineItems.{index}"
        line = mapping(item, path)
        variant = mapping(line.get("variant"), f"{path}.variant")
        amount, _ = _money(variant.get("price"), f"{path}.variant.price")
        known = _variant({"title": line.get("title"), **variant}, line.get("quantity"), amount, code, path)
        if known is not None:
            found.append(known)
    return found


def _checkout_started(data: Mapping[str, object], document: Mapping[str, object], name: str) -> _Props:
    checkout = mapping(data.get("checkout"), "data.checkout")
    amount, code = _money(checkout.get("totalPrice"), "data.checkout.totalPrice")
    code = _code(code or text(checkout.get("currencyCode"), "data.checkout.currencyCode"), "data.checkout")
    items = _lines(checkout, code)
    known = {
        "cart_value_minor": commerce.amount({"amount": amount}, ("amount",), code, "data.checkout.totalPrice."),
        "currency": code,
        "items": commerce.pieces(items) or None,
        "products": commerce.named(items),
    }
    return props_of("checkout_started", {}, (), known)


def _step(data: Mapping[str, object], document: Mapping[str, object], name: str) -> _Props:
    return {"step": SHOPIFY_STEPS[name]}


def _purchased(data: Mapping[str, object], document: Mapping[str, object], name: str) -> _Props:
    checkout = mapping(data.get("checkout"), "data.checkout")
    order = mapping(checkout.get("order"), "data.checkout.order")
    order_id = order_key(order.get("id"), "data.checkout.order.id") or text(
        checkout.get("token"), "data.checkout.token"
    )
    if order_id is None:
        raise Untranslatable("data.checkout.order.id: is missing; it tells this order from others")
    amount, code = _money(checkout.get("totalPrice"), "data.checkout.totalPrice")
    code = _code(code or text(checkout.get("currencyCode"), "data.checkout.currencyCode"), "data.checkout")
    known = {
        "order_id": order_id,
        "value_minor": commerce.amount({"amount": amount}, ("amount",), code, "data.checkout.totalPrice."),
        "currency": code,
        "items": commerce.named(_lines(checkout, code)),
    }
    return props_of("purchased", {}, (), known)


def _searched(data: Mapping[str, object], document: Mapping[str, object], name: str) -> _Props:
    result = mapping(data.get("searchResult"), "data.searchResult")
    found = result.get("productVariants")
    known = {
        "query": text(result.get("query"), "data.searchResult.query"),
        "results": len(found) if isinstance(found, list) else None,
    }
    return props_of("searched", {}, (), known)


def _page(data: Mapping[str, object], document: Mapping[str, object], name: str) -> _Props:
    location = mapping(document.get("location"), "context.document.location")
    known = {
        "url": _url(document),
        "path": text(location.get("pathname"), "context.document.location.pathname"),
        "title": text(document.get("title"), "context.document.title"),
        "referrer": text(document.get("referrer"), "context.document.referrer"),
    }
    return props_of("page_viewed", {}, (), known)


_READERS: Final[dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], str], _Props]]] = {
    "page_viewed": _page,
    "product_viewed": _viewed,
    "cart_added": _cart_changed,
    "cart_removed": _cart_changed,
    "checkout_started": _checkout_started,
    "checkout_step": _step,
    "purchased": _purchased,
    "searched": _searched,
}
