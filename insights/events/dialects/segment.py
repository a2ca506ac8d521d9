"""Segment's messages in our words: identify, track, page, screen, group, alias, and the names of its e-commerce spec.

After https://segment.com/docs/connections/spec/ . A name that the spec does not know is kept as a custom event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from insights.events.dialects import commerce
from insights.events.dialects.commerce import ProductFields, props_of
from insights.events.dialects.names import SEGMENT
from insights.events.dialects.translation import (
    Envelope,
    Translated,
    Untranslatable,
    Who,
    content_key,
    corrected,
    epoch_ms,
    mapping,
    text,
)

TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")

_PRODUCT: Final = ProductFields(
    id=("product_id", "productId", "id", "sku"),
    name=("name", "title"),
    category=("category",),
    price=("price",),
    quantity=("quantity",),
)
_PRODUCT_NAMES: Final = (*_PRODUCT.id[:3], "name", "title", "category", "price", "quantity", "currency")
_TOTAL: Final = ("total", "revenue", "value", "subtotal")


def translate(message: Any, envelope: Envelope) -> list[Translated]:
    """One message in our words. Raises Untranslatable, naming the field."""
    message = mapping(message, "message")
    if not message:
        raise Untranslatable("message: must be a JSON object with type, and userId or anonymousId")
    kind = envelope.type or message.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise Untranslatable(f"type: must be one of {', '.join(TYPES)}")
    context = {**mapping(envelope.context, "context"), **mapping(message.get("context"), "context")}
    page = mapping(context.get("page"), "context.page")
    type_, props, who = _READERS[kind](message, context, page)
    said = Translated(
        key=_key(message, envelope),
        type=type_,
        props=props,
        who=who,
        at_ms=_at(message, envelope),
        url=_url(message, page),
        session=_session(message, context),
        says_who=kind in ("identify", "alias"),
    )
    return [said]


def _at(message: Mapping[str, Any], envelope: Envelope) -> int:
    """When it happened by the server's clock."""
    said = next((name for name in ("originalTimestamp", "timestamp") if message.get(name) is not None), None)
    if said is None:
        return envelope.received_ms
    at = epoch_ms(message[said], said)
    sent_at = message.get("sentAt") if message.get("sentAt") is not None else envelope.sent_at
    return corrected(at, sent_at, envelope.received_ms, "sentAt")


def _key(message: Mapping[str, Any], envelope: Envelope) -> str:
    identifier = text(message.get("messageId"), "messageId")
    if identifier is not None:
        return identifier
    dated = any(message.get(name) is not None for name in ("originalTimestamp", "timestamp"))
    return content_key(message, envelope, dated=dated)


def _who(message: Mapping[str, Any]) -> Who:
    who = Who(
        anonymous_id=text(message.get("anonymousId"), "anonymousId"), user_id=text(message.get("userId"), "userId")
    )
    if who.anonymous_id is None and who.user_id is None:
        raise Untranslatable("userId: is missing; send userId or anonymousId")
    return who


def _session(message: Mapping[str, Any], context: Mapping[str, Any]) -> str | None:
    said = message.get("properties")
    for source in (context, said if isinstance(said, dict) else {}):
        for name in ("sessionId", "session_id"):
            value = source.get(name)
            if value not in (None, "") and not isinstance(value, bool) and isinstance(value, str | int):
                return str(value)[:200]
    return None


def _url(message: Mapping[str, Any], page: Mapping[str, Any]) -> str | None:
    said = message.get("properties")
    for value in (said.get("url") if isinstance(said, dict) else None, page.get("url")):
        if isinstance(value, str) and value:
            return value if len(value) <= 4096 else value.partition("?")[0][:4096]
    return None


_Reader = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], tuple[str, dict[str, Any], Who]]


def _identify(message: Mapping[str, Any], context: Mapping[str, Any], page: Mapping[str, Any]) -> Any:
    traits = mapping(message.get("traits"), "traits")
    who = _who(message)
    known = {
        "user_id": who.user_id,
        "email": text(traits.get("email"), "traits.email"),
        "phone": text(traits.get("phone"), "traits.phone"),
        "traits": dict(traits) or None,
    }
    return "identified", {name: value for name, value in known.items() if value is not None}, who


def _alias(message: Mapping[str, Any], context: Mapping[str, Any], page: Mapping[str, Any]) -> Any:
    previous = text(message.get("previousId"), "previousId")
    user_id = text(message.get("userId"), "userId")
    if previous is None or user_id is None:
        raise Untranslatable(f"{'previousId' if previous is None else 'userId'}: is missing; alias needs both")
    return "identified", {"user_id": user_id, "previous_id": previous}, Who(anonymous_id=previous, user_id=user_id)


def _page(message: Mapping[str, Any], context: Mapping[str, Any], page: Mapping[str, Any]) -> Any:
    said = mapping(message.get("properties"), "properties")
    known: dict[str, Any] = {
        name: text(said.get(name) if said.get(name) is not None else page.get(name), f"properties.{name}")
        for name in ("url", "path", "title", "referrer")
    }
    known["name"] = text(message.get("name"), "name")
    known["category"] = text(message.get("category"), "category")
    known["source"] = _source(context, page)
    known["client"] = _client(context)
    return "page_viewed", props_of("page_viewed", said, (), known), _who(message)


def _source(context: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any] | None:
    campaign = mapping(context.get("campaign"), "context.campaign")
    names = {"name": "campaign"}
    return {f"utm_{names.get(name, name)}": value for name, value in campaign.items()} or None


def _client(context: Mapping[str, Any]) -> dict[str, Any] | None:
    client = {
        ours: context[theirs]
        for ours, theirs in (("language", "locale"), ("time_zone", "timezone"))
        if isinstance(context.get(theirs), str)
    }
    return client or None


def _named(kind: str) -> _Reader:
    """A call that shops have no word for: kept whole as a custom event of the call's name."""

    def read(message: Mapping[str, Any], context: Mapping[str, Any], page: Mapping[str, Any]) -> Any:
        kept = {
            "screen": ("name", "category", "properties"),
            "group": ("groupId", "traits"),
        }[kind]
        return kind, {name: message[name] for name in kept if message.get(name) is not None}, _who(message)

    return read


def normal(name: str) -> str:
    """A name of the e-commerce spec however it is written: ``Order_Completed`` is ``order completed``."""
    return re.sub(r"[\s_\-]+", " ", name).strip().lower()


def _track(message: Mapping[str, Any], context: Mapping[str, Any], page: Mapping[str, Any]) -> Any:
    name = text(message.get("event"), "event")
    if name is None:
        raise Untranslatable("event: is missing; track needs the event's name")
    if len(name) > 200:
        raise Untranslatable("event: must be 1 to 200 characters")
    said = mapping(message.get("properties"), "properties")
    reader = _BY_NAME.get(normal(name))
    read = reader(said, message) if reader is not None else None
    type_, props = read if read is not None else ("custom", {"name": name, "props": dict(said)})
    return type_, props, _who(message)


_READERS: Final[dict[str, _Reader]] = {
    "identify": _identify,
    "track": _track,
    "page": _page,
    "screen": _named("screen"),
    "group": _named("group"),
    "alias": _alias,
}

# --- the e-commerce spec: name → our event, or None where the message says too little for ours ---------------------

_Event = tuple[str, dict[str, Any]] | None
_EventReader = Callable[[Mapping[str, Any], Mapping[str, Any]], _Event]
_PATH: Final = "properties."


def _product_event(type_: str) -> _EventReader:
    def read(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
        code = commerce.currency(said, _PATH)
        known = commerce.product(said, _PRODUCT, code, _PATH)
        if known is None:
            return None
        if type_ != "product_viewed":
            known["cart_value_minor"] = commerce.amount(said, ("cart_value", "cart_total"), code, _PATH)
        return type_, props_of(type_, said, (*_PRODUCT_NAMES, "cart_value", "cart_total"), known)

    return read


def _checkout_started(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    code = commerce.currency(said, _PATH)
    items = commerce.products(said.get("products"), _PRODUCT, code, "properties.products")
    value = commerce.amount(said, ("value", "total", "revenue", "subtotal"), code, _PATH)
    known = {
        "cart_value_minor": value if value is not None else commerce.worth(items),
        "currency": code,
        "items": commerce.pieces(items) or None,
        "products": items or None,
    }
    return "checkout_started", props_of("checkout_started", said, ("products", *_TOTAL), known)


def _checkout_step(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    _, value = commerce.first(said, ("step_name", "step"))
    if value is None:
        return None
    known = {"step": commerce.checkout_step(text(value, "properties.step"))}
    return "checkout_step", props_of("checkout_step", said, (), known)


def _checkout_step_done(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    read = _checkout_step(said, message)
    return None if read is None else (read[0], {**read[1], "step": commerce.next_step(read[1]["step"])})


def _payment_entered(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    return "checkout_step", props_of("checkout_step", said, (), {"step": "review"})


def _ordered(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    code = commerce.currency(said, _PATH)
    items = commerce.products(said.get("products"), _PRODUCT, code, "properties.products")
    value = commerce.amount(said, _TOTAL, code, _PATH)
    known = {
        "order_id": _order_id(said, message),
        "value_minor": value if value is not None else commerce.worth(items),
        "margin_minor": commerce.amount(said, ("margin", "profit"), code, _PATH),
        "currency": code,
        "items": items or None,
    }
    used = ("orderId", "products", "margin", "profit", *_TOTAL)
    return "purchased", props_of("purchased", said, used, known)


def _refunded(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    code = commerce.currency(said, _PATH)
    items = commerce.products(said.get("products"), _PRODUCT, code, "properties.products")
    value = commerce.amount(said, _TOTAL, code, _PATH)
    known = {
        "order_id": _order_id(said, message),
        # Some say what was given back as a negative amount.
        "value_minor": abs(value) if value is not None else commerce.worth(items),
        "currency": code,
        "refund_id": text(said.get("refund_id"), "properties.refund_id") or text(message.get("messageId"), "messageId"),
    }
    return "refunded", props_of("refunded", said, ("orderId", *_TOTAL), known)


def _order_id(said: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    name, value = commerce.first(said, ("order_id", "orderId", "id", "checkout_id"))
    # An order without a number is still an order: its message names it.
    order_id = text(value, f"{_PATH}{name}") or text(message.get("messageId"), "messageId")
    if order_id is None:
        raise Untranslatable(f"{_PATH}order_id: is missing; it tells this order from others")
    return order_id


def _searched(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
    known = {
        "query": text(said.get("query"), "properties.query"),
        "results": commerce.quantity(said, ("results", "results_count"), _PATH),
    }
    return "searched", props_of("searched", said, ("results_count",), known)


def _coupon(accepted: bool) -> _EventReader:
    def read(said: Mapping[str, Any], message: Mapping[str, Any]) -> _Event:
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
    "payment info entered": _payment_entered,
}
