"""The names that other dialects have for what we call otherwise: one table a dialect. Pure.

The browser SDK maps a page's dataLayer by the same tables. What is in no table is kept as a custom event of its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TABS: Final = ("segment", "ga4", "shopify_pixel", "shopify", "generic")
"""All dialects. Their events have this for the tab that a browser's events happened in."""

SEGMENT: Final[Mapping[str, str]] = {
    "products searched": "searched",
    "product viewed": "product_viewed",
    "product added": "cart_added",
    "wishlist product added to cart": "cart_added",
    "product removed": "cart_removed",
    "checkout started": "checkout_started",
    "checkout step viewed": "checkout_step",
    "checkout step completed": "checkout_step",
    "payment info entered": "checkout_step",
    "order completed": "purchased",
    "order refunded": "refunded",
    "order cancelled": "refunded",
    "coupon applied": "coupon_tried",
    "coupon denied": "coupon_tried",
    "promotion viewed": "promo_seen",
    # The names of the first version of the spec, which old shops still send.
    "searched products": "searched",
    "viewed product": "product_viewed",
    "added product": "cart_added",
    "removed product": "cart_removed",
    "completed order": "purchased",
}
"""Segment's e-commerce spec. Names in lower case with single blanks, as ``segment_commerce.normal`` writes them."""

GA4: Final[Mapping[str, str]] = {
    "page_view": "page_viewed",
    "view_item": "product_viewed",
    "add_to_cart": "cart_added",
    "remove_from_cart": "cart_removed",
    "begin_checkout": "checkout_started",
    "add_shipping_info": "checkout_step",
    "add_payment_info": "checkout_step",
    "purchase": "purchased",
    "refund": "refunded",
    "search": "searched",
    "view_search_results": "searched",
    "view_promotion": "promo_seen",
}
"""Google Analytics 4: recommended events, as pages push them to their dataLayer."""

GA4_STEPS: Final[Mapping[str, str]] = {"add_shipping_info": "payment", "add_payment_info": "review"}
"""Said when a step is done: whoever says it stands before the next one."""

SHOPIFY_PIXEL: Final[Mapping[str, str]] = {
    "page_viewed": "page_viewed",
    "product_viewed": "product_viewed",
    "product_added_to_cart": "cart_added",
    "product_removed_from_cart": "cart_removed",
    "checkout_started": "checkout_started",
    "checkout_contact_info_submitted": "checkout_step",
    "checkout_address_info_submitted": "checkout_step",
    "checkout_shipping_info_submitted": "checkout_step",
    "payment_info_submitted": "checkout_step",
    "checkout_completed": "purchased",
    "search_submitted": "searched",
}
"""Shopify's Web Pixels API: standard events."""

SHOPIFY_STEPS: Final[Mapping[str, str]] = {
    "checkout_contact_info_submitted": "shipping",
    "checkout_address_info_submitted": "shipping",
    "checkout_shipping_info_submitted": "payment",
    "payment_info_submitted": "review",
}
