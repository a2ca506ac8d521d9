"""Things that happen in a shop, of every kind that means something to a profile, a summary or a reason."""

from __future__ import annotations

from typing import Any

SHOP = "https://shop.example"

HAPPENINGS: list[tuple[str, dict[str, Any]]] = [
    ("page_viewed", {"path": "/", "url": f"{SHOP}/?category=beans"}),
    ("page_viewed", {"path": "/cart", "url": f"{SHOP}/cart"}),
    ("page_viewed", {"path": "/returns"}),
    ("product_viewed", {"product_id": "a", "category": "beans", "price_minor": 900, "currency": "EUR"}),
    ("product_viewed", {"product_id": "b", "category": "beans", "price_minor": 700, "currency": "EUR"}),
    ("product_viewed", {"product_id": "c", "category": "cups", "price_minor": 500, "currency": "EUR"}),
    ("cart_added", {"product_id": "a", "price_minor": 900, "quantity": 2, "currency": "EUR"}),
    ("cart_removed", {"product_id": "a", "quantity": 1, "cart_value_minor": 0}),
    ("checkout_started", {"items": 2, "cart_value_minor": 1800}),
    ("checkout_step", {"step": "payment"}),
    ("coupon_tried", {"accepted": False}),
    ("purchased", {"order_id": "1", "value_minor": 1800}),
    ("identified", {"email": "ada@example.org"}),
    ("consent_changed", {"marketing": False}),
    ("consent_changed", {"marketing": True}),
    ("action_shown", {"decision_id": "1", "action": "cart_save"}),
    ("action_dismissed", {"decision_id": "1", "action": "cart_save"}),
    ("request_failed", {"path": "/api/cart", "status": 500}),
    ("form_field", {"refocused": 2}),
    ("form_submitted", {}),
    ("exit_intent", {}),
    ("tab_hidden", {}),
    ("tab_returned", {"away_ms": 130_000}),
    ("session_ended", {}),
    ("refunded", {"order_id": "1"}),
]
