"""Shopify's webhooks in our words: orders, checkouts, refunds. Pure.

After the topics' payloads in Shopify's "Webhooks" reference. ``envelope.type`` is the topic; ``envelope.context`` is
what is known of the order here: ``visitor`` who bought it, ``bought`` when the purchase itself is stored, ``order`` as
it was named then, ``currency`` that it was paid in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from insights.events.dialects import commerce
from insights.events.dialects.commerce import ProductFields, props_of
from insights.events.dialects.shopify_money import given_back
from insights.events.dialects.translation import (
    ONLINE,
    Envelope,
    Translated,
    Untranslatable,
    Who,
    epoch_ms,
    is_fresh,
    mapping,
    text,
)

_LINE: Final = ProductFields(
    id=("product_id", "variant_id", "sku"),
    name=("title", "name"),
    category=("product_type",),
    price=("price",),
    quantity=("quantity",),
)

ELSEWHERE: Final = (
    "pos",
    "shopify_draft_order",
    "iphone",
    "android",
    "subscription_contract",
    "subscription_contract_checkout_one",
)
"""Values of an order's ``source_name`` that say that no page of the shop was bought on: at the till, an order that
somebody of the shop wrote, in the browser or in Shopify's apps, the renewal of a subscription."""

MOST_CODES: Final = 25
"""Discount codes of one order that are looked at; a checkout takes a few."""

VISITOR_ATTRIBUTE: Final = "whyleft_visitor"
SESSION_ATTRIBUTE: Final = "whyleft_session"
"""Cart attributes in which a theme may pass on whose cart it is, and of which visit."""


def translate(message: object, envelope: Envelope) -> list[Translated]:
    """What one webhook says; nothing where its topic says nothing of a visit. Raises Untranslatable."""
    reader = _READERS.get(envelope.type or "")
    return reader(mapping(message, "body"), envelope) if reader is not None else []


def order_of(topic: str, message: object) -> str | None:
    """The order that a webhook is about."""
    field = {"orders/create": "id", "orders/paid": "id", "orders/cancelled": "id", "refunds/create": "order_id"}.get(
        topic
    )
    if field is None or not isinstance(message, dict):
        return None
    value = message.get(field)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def placed_at(topic: str, message: object, received_ms: int) -> int | None:
    """When the order was placed that a webhook tells of, epoch milliseconds; None where it tells of none."""
    if topic not in ("orders/create", "orders/paid") or not isinstance(message, dict) or message.get("test") is True:
        return None
    try:
        return _at(message, Envelope(received_ms))
    except Untranslatable:
        return None


def codes_of(topic: str, message: object) -> list[str]:
    """The discount codes that an order was paid with; none where a webhook tells of no order."""
    if not isinstance(message, dict) or placed_at(topic, message, 0) is None:
        return []
    said = message.get("discount_codes")
    codes = [one.get("code") for one in said[:MOST_CODES] if isinstance(one, dict)] if isinstance(said, list) else []
    return [code for code in codes if isinstance(code, str)]


def placed_just_now(topic: str, message: Any, received_ms: int) -> bool:
    """Whether an order is so fresh that the page which it was placed on may not have told of it yet."""
    at_ms = placed_at(topic, message, received_ms)
    return at_ms is not None and VISITOR_ATTRIBUTE not in _attributes(message) and is_fresh(at_ms, received_ms)


def _number(source: Mapping[str, Any], name: str) -> str:
    value = text(source.get(name), name)
    if value is None:
        raise Untranslatable(f"{name}: is missing")
    return value


def _attributes(source: Mapping[str, object]) -> dict[str, str]:
    """The cart attributes, which Shopify has as a list of names and values."""
    said = source.get("note_attributes")
    if not isinstance(said, list):
        return {}
    return {
        item["name"].lstrip("_"): item["value"]
        for item in said
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("value"), str)
    }


def _who(source: Mapping[str, object], envelope: Envelope, otherwise: str) -> Who:
    context = mapping(envelope.context, "context")
    customer = mapping(source.get("customer"), "customer")
    visitor = None
    # The cart is the buyer's own; what else is known of the order may be what somebody made up.
    for said in (_attributes(source).get(VISITOR_ATTRIBUTE), context.get("visitor")):
        try:
            visitor = visitor or (UUID(said) if isinstance(said, str) else None)
        except ValueError:
            # What a theme put into a cart is not worth an order.
            continue
    user_id = text(customer.get("id"), "customer.id")
    email = text(source.get("email"), "email") or text(customer.get("email"), "customer.email")
    phone = text(source.get("phone"), "phone") or text(customer.get("phone"), "customer.phone")
    nobody = visitor is None and user_id is None and email is None and phone is None
    return Who(
        visitor=visitor if visitor is not None and visitor.int else None,
        anonymous_id=otherwise if nobody else None,
        user_id=user_id,
        email=email,
        phone=phone,
    )


def _at(source: Mapping[str, object], envelope: Envelope) -> int:
    """Of an order brought along from another shop system, and of a till that was offline, ``processed_at`` is when it
    was placed; ``created_at`` is then when Shopify heard of it."""
    times = [epoch_ms(source[name], name) for name in ("created_at", "processed_at") if source.get(name) is not None]
    return min(times, default=envelope.received_ms)


def _ordered(order: Mapping[str, object], envelope: Envelope) -> list[Translated]:
    order_id = _number(order, "id")
    if order.get("test") is True:
        # Nobody bought. A page cannot tell, so what it said of this order, or is about to say, is taken back.
        return [_taken_back(order_id, f"test/{order_id}", _at(order, envelope), envelope)]
    at_ms, session = _at(order, envelope), _attributes(order).get(SESSION_ATTRIBUTE)
    who = _who(order, envelope, f"order/{order_id}")
    said: list[Translated] = []
    if not mapping(envelope.context, "context").get("bought"):
        code = commerce.currency(order, "")
        items = commerce.products(order.get("line_items"), _LINE, code, "line_items")
        known = {
            "order_id": _as_stored(order_id, envelope),
            "value_minor": commerce.amount(order, ("total_price", "current_total_price"), code, ""),
            "currency": code,
            "items": commerce.named(items),
            "order_name": text(order.get("name"), "name"),
            ONLINE: False if order.get("source_name") in ELSEWHERE else None,
        }
        said.append(
            Translated(
                f"order/{order_id}",
                "purchased",
                props_of("purchased", {}, (), known),
                who,
                at_ms,
                session=session,
            )
        )
    elif names := {name: getattr(who, name) for name in ("user_id", "email", "phone") if getattr(who, name)}:
        # The page told of the order already; who placed it, Shopify knows better.
        said.append(Translated(f"buyer/{order_id}", "identified", names, who, at_ms, session=session, says_who=True))
    return said + _consent(order, who, at_ms, session)


def _consent(source: Mapping[str, object], who: Who, at_ms: int, session: str | None) -> list[Translated]:
    """What the customer agreed to, where Shopify says so outright. A box left empty at checkout withdraws nothing."""
    customer = mapping(source.get("customer"), "customer")
    states = {
        channel: mapping(customer.get(name), f"customer.{name}").get("state")
        for channel, name in (("email", "email_marketing_consent"), ("sms", "sms_marketing_consent"))
    }
    channels = [channel for channel, state in states.items() if state == "subscribed"]
    if not channels and "unsubscribed" not in states.values():
        return []
    props: dict[str, Any] = {"marketing": bool(channels), "channels": channels}
    key = f"consent/{customer.get('id')}/{','.join(f'{name}={state}' for name, state in states.items())}/{at_ms}"
    return [Translated(key, "consent_changed", props, who, at_ms, session=session)]


def _cancelled(order: Mapping[str, object], envelope: Envelope) -> list[Translated]:
    order_id = _number(order, "id")
    cancelled_at = order.get("cancelled_at")
    at_ms = epoch_ms(cancelled_at, "cancelled_at") if cancelled_at is not None else envelope.received_ms
    return [_taken_back(order_id, f"cancelled/{order_id}", at_ms, envelope)]


def _taken_back(order_id: str, why: str, at_ms: int, envelope: Envelope) -> Translated:
    props = {"order_id": _as_stored(order_id, envelope), "refund_id": why}
    return Translated(why, "refunded", props, _buyer(order_id, envelope), at_ms)


def _refunded(refund: Mapping[str, object], envelope: Envelope) -> list[Translated]:
    refund_id, order_id = _number(refund, "id"), _number(refund, "order_id")
    back: dict[str | None, int | None] = {None: None}
    if isinstance(refund.get("transactions"), list):
        ordered = text(mapping(envelope.context, "context").get("currency"), "context.currency")
        back = dict(given_back(refund, ordered))
    buyer, at_ms = _buyer(order_id, envelope), _at(refund, envelope)
    said = []
    for number, (code, amount) in enumerate(back.items()):
        # Each currency is told on its own: they have no sum.
        name = f"{refund_id}/{code}" if number else refund_id
        known = {"order_id": _as_stored(order_id, envelope), "refund_id": name, "value_minor": amount, "currency": code}
        said.append(Translated(f"refund/{name}", "refunded", props_of("refunded", {}, (), known), buyer, at_ms))
    return said


def _as_stored(order_id: str, envelope: Envelope) -> str:
    order = mapping(envelope.context, "context").get("order")
    return order if isinstance(order, str) else order_id


def _buyer(order_id: str, envelope: Envelope) -> Who:
    visitor = mapping(envelope.context, "context").get("visitor")
    return Who(visitor=UUID(visitor)) if isinstance(visitor, str) else Who(anonymous_id=f"order/{order_id}")


def _checkout(checkout: Mapping[str, object], envelope: Envelope) -> list[Translated]:
    token = text(checkout.get("token"), "token") or _number(checkout, "id")
    if checkout.get("completed_at") is not None:
        # The order tells of it.
        return []
    at_ms, session = _at(checkout, envelope), _attributes(checkout).get(SESSION_ATTRIBUTE)
    who = _who(checkout, envelope, f"checkout/{token}")
    # Its amounts are in the customer's currency, while ``currency`` is the shop's; those of an order are in the shop's.
    whose = "presentment_" if checkout.get("presentment_currency") else ""
    code = commerce.currency({"currency": checkout.get(f"{whose}currency")}, whose)
    items = commerce.products(checkout.get("line_items"), _LINE, code, "line_items")
    known = {
        "cart_value_minor": commerce.amount(checkout, ("total_price", "subtotal_price"), code, ""),
        "currency": code,
        "items": commerce.pieces(items) or None,
        "products": commerce.named(items),
    }
    url = text(checkout.get("abandoned_checkout_url"), "abandoned_checkout_url")
    started = Translated(
        key=f"checkout/{token}",
        type="checkout_started",
        props=props_of("checkout_started", {}, (), known),
        who=who,
        at_ms=at_ms,
        url=url if url is not None and len(url) <= 4096 else None,
        session=session,
    )
    return [started, *_consent(checkout, who, at_ms, session)]


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], Envelope], list[Translated]]]] = {
    "orders/create": _ordered,
    "orders/paid": _ordered,
    "orders/cancelled": _cancelled,
    "refunds/create": _refunded,
    "checkouts/create": _checkout,
    "checkouts/update": _checkout,
}
TOPICS: Final = frozenset(_READERS)
