"""Good messages of every dialect, and what stands around them."""

from __future__ import annotations

from typing import Any

from insights.events.dialects.translation import Envelope
from tests.dialects.test_shopify_pixel import event as pixel_event

NOW = 1_795_300_000_000
AT = "2026-11-18T08:00:00Z"

_TRACK: dict[str, Any] = {
    "type": "track",
    "messageId": "m",
    "anonymousId": "a",
    "userId": "u",
    "timestamp": AT,
    "originalTimestamp": AT,
    "sentAt": AT,
    "context": {"page": {"url": "https://s.example/", "title": "T"}, "sessionId": "s", "campaign": {"name": "c"}},
}
_PRODUCT = {"product_id": "P", "name": "N", "category": "C", "price": 1.5, "quantity": 2, "currency": "EUR"}
_ORDER = {"order_id": "1", "total": "3.5", "currency": "EUR", "products": [_PRODUCT], "coupon": "X", "revenue": 3}

SEGMENT: list[Any] = [
    {**_TRACK, "type": "identify", "traits": {"email": "a@s.example", "phone": "+491701234567", "age": 4}},
    {
        **_TRACK,
        "type": "page",
        "name": "Home",
        "properties": {"url": "https://s.example/", "path": "/", "referrer": ""},
    },
    {**_TRACK, "type": "screen", "name": "Home"},
    {**_TRACK, "type": "group", "groupId": "g", "traits": {}},
    {**_TRACK, "type": "alias", "previousId": "p"},
    {**_TRACK, "event": "Product Viewed", "properties": _PRODUCT},
    {**_TRACK, "event": "Product Added", "properties": {**_PRODUCT, "cart_value": 9}},
    {**_TRACK, "event": "Checkout Started", "properties": _ORDER},
    {**_TRACK, "event": "Checkout Step Viewed", "properties": {"step": 2}},
    {**_TRACK, "event": "Order Completed", "properties": {**_ORDER, "profit": 1}},
    {**_TRACK, "event": "Order Refunded", "properties": {**_ORDER, "refund_id": "r"}},
    {**_TRACK, "event": "Products Searched", "properties": {"query": "q", "results": 3}},
    {**_TRACK, "event": "Promotion Viewed", "properties": {"name": "Free shipping", "creative": "c"}},
    {**_TRACK, "event": "Coupon Denied", "properties": {"coupon_id": "X"}},
]

_PARAMS = {
    "currency": "EUR",
    "value": 3.5,
    "transaction_id": "T",
    "coupon": "X",
    "search_term": "q",
    "promotion_name": "20% off",
    "page_location": "https://s.example/",
    "page_title": "T",
    "session_id": 1,
    "items": [{"item_id": "S", "item_name": "N", "item_category": "C", "price": 1, "quantity": 2}],
}
GA4: list[Any] = [
    {"name": name, "params": _PARAMS, "client_id": "c", "user_id": "u", "timestamp_micros": 1_794_999_999_000_000}
    for name in ("page_view", "view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase", "refund")
] + [{"event": name, "ecommerce": _PARAMS, "client_id": "c"} for name in ("search", "view_promotion", "other")]

PIXEL: list[Any] = [
    pixel_event(name)
    for name in (
        "page_viewed",
        "product_viewed",
        "product_added_to_cart",
        "checkout_started",
        "payment_info_submitted",
        "checkout_completed",
        "search_submitted",
        "other",
    )
]

_SHOPIFY_ORDER: dict[str, Any] = {
    "id": 1,
    "token": "t",
    "order_id": 1,
    "name": "#1",
    "email": "a@s.example",
    "phone": "+491701234567",
    "created_at": AT,
    "updated_at": AT,
    "cancelled_at": AT,
    "currency": "EUR",
    "total_price": "9.00",
    "line_items": [{"product_id": 7, "title": "T", "quantity": 1, "price": "9.00"}],
    "customer": {"id": 5, "email": "a@s.example", "email_marketing_consent": {"state": "subscribed"}},
    "note_attributes": [{"name": "_whyleft_visitor", "value": "b9a8c8d0-1111-4222-8333-444455556666"}],
    "transactions": [{"kind": "refund", "status": "success", "amount": "1.00", "currency": "EUR"}],
    "abandoned_checkout_url": "https://s.example/c",
}
SHOPIFY_TOPICS = ("orders/create", "orders/paid", "orders/cancelled", "refunds/create", "checkouts/update")

GENERIC: list[Any] = [
    {"type": type_, "timestamp": AT, "data": {**data, "user_id": "u", "email": "a@s.example", "session": "s"}}
    for type_, data in (
        ("purchased", {"order_id": "1", "value_minor": 1, "currency": "EUR", "items": 1}),
        ("refunded", {"order_id": "1", "value_minor": 1, "refund_id": "r"}),
        ("identified", {"phone": "+491701234567", "traits": {"a": 1}}),
        ("consent_changed", {"marketing": True, "channels": ["email"]}),
        ("mine.own", {"level": 1}),
    )
]


def _around(**other: Any) -> Envelope:
    return Envelope(received_ms=NOW, trusted=True, **other)


CASES: list[tuple[str, list[Any], Envelope]] = [
    ("segment", SEGMENT, _around(sent_at=AT)),
    ("ga4", GA4, _around(context={"client_id": "c"})),
    ("shopify_pixel", PIXEL, _around(context={"session": "s"})),
    *(("shopify", [_SHOPIFY_ORDER], _around(type=topic)) for topic in SHOPIFY_TOPICS),
    ("generic", GENERIC, _around(type="msg_1")),
]
"""Dialect, good messages, what stands around them."""
