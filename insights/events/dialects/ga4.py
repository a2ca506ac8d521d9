"""Google Analytics 4 in our words: what a page pushes to its dataLayer, or a server sends by the Measurement Protocol.

Pure. After the pages "Recommended events" and "Measurement Protocol reference" of Google's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from insights.events.dialects import commerce
from insights.events.dialects.commerce import ProductFields, props_of
from insights.events.dialects.names import GA4, GA4_STEPS
from insights.events.dialects.translation import (
    ONLINE,
    Envelope,
    Translated,
    Untranslatable,
    Who,
    content_key,
    epoch_ms,
    mapping,
    text,
)

ITEM: Final = ProductFields(
    id=("item_id", "id"),
    name=("item_name", "name"),
    category=("item_category", "category"),
    price=("price",),
    quantity=("quantity",),
)
_AROUND: Final = ("event", "name", "params", "ecommerce", "gtm.uniqueEventId", "event_id", "timestamp_micros")

_Props = list[dict[str, Any]]
"""The props of each event that one message is: an add_to_cart of two items is two."""


def translate(message: object, envelope: Envelope) -> list[Translated]:
    """One event. ``envelope.context`` is what stands beside the list of events: ``client_id``, ``user_id``, ….

    Raises Untranslatable, naming the field.
    """
    event = _pushed(message)
    if event is None:
        return []
    around = {**mapping(envelope.context, "body"), **{k: v for k, v in event.items() if k in _WHO}}
    name = text(event.get("name") if event.get("name") is not None else event.get("event"), "name")
    if name is None or len(name) > 200:
        raise Untranslatable("name: is missing; an event has a name of 1 to 200 characters, like add_to_cart")
    said = _said(event)
    type_ = GA4.get(name)
    props = _READERS[type_](said, name) if type_ is not None else []
    if not props:
        kept = {key: value for key, value in said.items() if key not in _WHO}
        type_, props = "custom", [{"name": name, "props": kept}]
    assert type_ is not None  # noqa: S101  (no props without a type)
    told = [(type_, each) for each in props]
    if name == "begin_checkout" and text(said.get("coupon"), "coupon") is not None:
        # A code that stands in the checkout was taken.
        told.append(("coupon_tried", {"accepted": True}))
    key, who, at_ms = _key(event, envelope), _who(around), _at(event, around, envelope)
    url = text(said.get("page_location"), "page_location")
    session = text(said.get("session_id"), "session_id")
    signatures = mapping(around.get("signatures"), "signatures")
    return [
        Translated(
            key=f"{key}/{number}" if number else key,
            type=kind,
            props=each,
            who=who,
            at_ms=at_ms,
            url=url[:4096] if url else None,
            session=session[:200] if session else None,
            signatures=signatures,
        )
        for number, (kind, each) in enumerate(told)
    ]


def _pushed(message: object) -> Mapping[str, Any] | None:
    """An event as Tag Manager has it. ``gtag("event", name, parameters)`` pushes its arguments, which are a list or an
    object of 0, 1, 2 in JSON. None for what says nothing of anybody: gtag's other commands, and the push that clears
    the last ``ecommerce``."""
    if isinstance(message, list):
        message = {str(place): part for place, part in enumerate(message)}
    event = mapping(message, "event")
    command = event.get("0")
    if isinstance(command, str) and "event" not in event and "name" not in event:
        rest = {name: value for name, value in event.items() if name not in ("0", "1", "2")}
        said = {"name": event.get("1"), "params": event.get("2"), **rest}
        return said if command == "event" else None
    cleared = "ecommerce" in event and event["ecommerce"] is None
    return None if cleared and not event.keys() - _CLEARS else event


_CLEARS: Final = {"ecommerce", "_clear", "gtm.uniqueEventId", "client_id", "user_id", "visitor", "signatures"}
_WHO: Final = ("client_id", "user_id", "visitor", "timestamp_micros", "signatures")


def _said(event: Mapping[str, object]) -> dict[str, Any]:
    """The parameters wherever they stand: in ``params``, in ``ecommerce``, or beside the name."""
    beside = {name: value for name, value in event.items() if name not in _AROUND}
    ecommerce = mapping(event.get("ecommerce"), "ecommerce")
    return {**beside, **ecommerce, **mapping(event.get("params"), "params")}


def _who(around: Mapping[str, object]) -> Who:
    who = Who(
        anonymous_id=text(around.get("client_id"), "client_id") or text(around.get("visitor"), "visitor"),
        user_id=text(around.get("user_id"), "user_id"),
    )
    if who.anonymous_id is None and who.user_id is None:
        raise Untranslatable("client_id: is missing; send client_id or user_id beside the events")
    return who


def _at(event: Mapping[str, object], around: Mapping[str, object], envelope: Envelope) -> int:
    for source in (event, around):
        if (micros := source.get("timestamp_micros")) is not None:
            if isinstance(micros, bool) or not isinstance(micros, str | int | float):
                raise Untranslatable("timestamp_micros: must be a whole number of microseconds since 1970")
            try:
                return int(float(micros) / 1000)
            except (ValueError, OverflowError):
                raise Untranslatable("timestamp_micros: must be a whole number of microseconds since 1970") from None
    return epoch_ms(event["t"], "t") if event.get("t") is not None else envelope.received_ms


def _key(event: Mapping[str, object], envelope: Envelope) -> str:
    own = text(event.get("event_id"), "event_id")
    if own is not None:
        return own
    around = mapping(envelope.context, "body")
    dated = any(source.get("timestamp_micros") is not None for source in (event, around)) or event.get("t") is not None
    return content_key([event, around], envelope, dated=dated)


def _items(said: Mapping[str, object], code: str | None) -> list[dict[str, Any]]:
    return commerce.products(said.get("items"), ITEM, code, "items")


def _products(type_: str) -> Callable[[Mapping[str, Any], str], _Props]:
    def read(said: Mapping[str, object], name: str) -> _Props:
        code = commerce.currency(said, "")
        items = commerce.named(_items(said, code)) or []
        viewed = type_ == "product_viewed"
        return [
            props_of(type_, {}, (), {**item, "quantity": None if viewed else item.get("quantity", 1)}) for item in items
        ]

    return read


def _checkout_started(said: Mapping[str, object], name: str) -> _Props:
    code = commerce.currency(said, "")
    items = _items(said, code)
    value, code = commerce.total(said, ("value",), code, items, "")
    known = {
        "cart_value_minor": value,
        "currency": code,
        "items": commerce.pieces(items) or None,
        "products": commerce.named(items),
        "coupon": text(said.get("coupon"), "coupon"),
    }
    return [props_of("checkout_started", {}, (), known)]


def _step(said: Mapping[str, object], name: str) -> _Props:
    return [{"step": GA4_STEPS[name]}]


def _order_id(said: Mapping[str, object]) -> str:
    order_id = text(said.get("transaction_id"), "transaction_id")
    if order_id is None:
        raise Untranslatable("transaction_id: is missing; it tells this order from others")
    return order_id


def _purchased(said: Mapping[str, object], name: str) -> _Props:
    code = commerce.currency(said, "")
    items = _items(said, code)
    value, code = commerce.total(said, ("value",), code, items, "")
    known = {
        "order_id": _order_id(said),
        "value_minor": value,
        "currency": code,
        "items": commerce.named(items),
        "coupon": text(said.get("coupon"), "coupon"),
        ONLINE: _truth(said.get(ONLINE)),
    }
    return [props_of("purchased", {}, (), known)]


def _truth(value: object) -> object:
    """GA4's parameters are texts and numbers, so whoever means no may write "false". Anything else is left as it is."""
    return {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value


def _refunded(said: Mapping[str, object], name: str) -> _Props:
    code = commerce.currency(said, "")
    value, code = commerce.given_back(said, ("value",), code, _items(said, code), "")
    known = {
        "order_id": _order_id(said),
        "value_minor": abs(value) if value is not None else None,
        "currency": code,
        "refund_id": text(said.get("refund_id"), "refund_id"),
    }
    return [props_of("refunded", {}, (), known)]


def _searched(said: Mapping[str, object], name: str) -> _Props:
    return [props_of("searched", {}, (), {"query": text(said.get("search_term"), "search_term")})]


def _promotion(said: Mapping[str, Any], name: str) -> _Props:
    words = [
        said[field]
        for field in ("promotion_name", "creative_name", "promotion_id")
        if isinstance(said.get(field), str) and said[field]
    ]
    kind = commerce.promotion_kind(*words)
    return [] if kind is None else [{"kind": kind, "text": words[0]}]


def _page(said: Mapping[str, object], name: str) -> _Props:
    known = {
        "url": text(said.get("page_location"), "page_location"),
        "title": text(said.get("page_title"), "page_title"),
        "referrer": text(said.get("page_referrer"), "page_referrer"),
        "path": text(said.get("page_path"), "page_path"),
    }
    return [props_of("page_viewed", {}, (), known)]


_READERS: Final[dict[str, Callable[[Mapping[str, Any], str], _Props]]] = {
    "page_viewed": _page,
    "product_viewed": _products("product_viewed"),
    "cart_added": _products("cart_added"),
    "cart_removed": _products("cart_removed"),
    "checkout_started": _checkout_started,
    "checkout_step": _step,
    "purchased": _purchased,
    "refunded": _refunded,
    "searched": _searched,
    "promo_seen": _promotion,
}
