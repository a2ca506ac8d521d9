"""What shopping says of a visitor: products looked at, the cart, the checkout, coupons, orders."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from insights.profiles.pages import PageKind, is_shelf_of, page_kind
from insights.profiles.profile import (
    CATEGORIES,
    CATEGORY_BYTES,
    NO_CATEGORY,
    ORDER_BYTES,
    ORDERS,
    PRODUCT_BYTES,
    PRODUCTS,
    STEP_NUMBER,
    Profile,
)
from insights.profiles.props import LARGEST, Props, currency_of, name_of, text_of, whole_of

_FADES: Final = 0.95
"""Each look at a category makes the older ones weigh this much of what they did."""
_VIEW, _CART = 1.0, 3.0


def product_viewed(p: Profile, at: int, props: Props) -> None:
    category = name_of(props, "category")
    p.page_is_product = True
    if category:
        _look_at(p, category, _VIEW)
        # The page before may be the shelf: it names the category, or is at least not the shop's front door.
        before = p.previous_link
        if before and (is_shelf_of(before, category) or (p.shelf != category and _may_be_shelf(before))):
            p.shelf, p.shelf_link = category, before
    price = whole_of(props, "price_minor")
    if price > 0:
        if price < p.last_price and category == p.last_category:
            p.cheaper += 1
        p.last_price = price
        p.last_category = category
    key = product_key(text_of(props, "product_id"), category)
    if key in p.products:
        p.repeats += 1
    else:
        p.products = (p.products + key)[-PRODUCTS * PRODUCT_BYTES :]
        p.products_seen += 1


def cart_added(p: Profile, at: int, props: Props) -> None:
    quantity = whole_of(props, "quantity", absent=1)
    p.cart_items = min(LARGEST, p.cart_items + quantity)
    p.cart_adds += 1
    p.progress_at = at
    _count_cart(p, props, quantity)
    if category := name_of(props, "category"):
        _look_at(p, category, _CART)


def cart_removed(p: Profile, at: int, props: Props) -> None:
    quantity = whole_of(props, "quantity", absent=1)
    p.cart_items = max(0, p.cart_items - quantity)
    p.cart_removes += 1
    _count_cart(p, props, -quantity)


def checkout_started(p: Profile, at: int, props: Props) -> None:
    p.cart_items = whole_of(props, "items") or p.cart_items or 1
    total = whole_of(props, "cart_value_minor", absent=-1)
    code = currency_of(props) or p.currency
    if total >= 0:
        p.cart_minor, p.currency = total, code
        p.mixed = False
    elif not p.mixed and not (p.cart_minor and p.currency):
        p.currency = code
    p.checkout = max(1, p.checkout)
    p.progress_at = at


def checkout_step(p: Profile, at: int, props: Props) -> None:
    step = STEP_NUMBER.get(text_of(props, "step"), 1)
    p.cart_items = p.cart_items or 1
    if step > p.checkout:
        p.checkout = step
        p.progress_at = at


def coupon_tried(p: Profile, at: int, props: Props) -> None:
    accepted = props.get("accepted")
    if accepted is False:
        p.coupons_refused += 1
        p.price_at = at
    elif accepted is True:
        p.coupons_accepted += 1


def purchased(p: Profile, at: int, props: Props) -> None:
    p.bought = True
    order = crc32(text_of(props, "order_id").encode("utf-8", "replace")).to_bytes(ORDER_BYTES, "big")
    if any(order == p.orders[place : place + ORDER_BYTES] for place in range(0, len(p.orders), ORDER_BYTES)):
        # The page and the shop's server both told of it.
        return
    p.orders = (order + p.orders)[: ORDERS * ORDER_BYTES]
    p.purchases += 1
    p.kept = ()
    p.cart_items = p.cart_minor = p.checkout = 0
    p.mixed = False
    p.progress_at = at


def product_key(product_id: str, category: str) -> bytes:
    """Stands for a product in its category, the same in every process; ends in the category's own key."""
    return crc32(product_id.encode("utf-8", "replace")).to_bytes(4, "big") + category_key(category)


def category_key(category: str) -> bytes:
    """Stands for a category; ``NO_CATEGORY`` for none."""
    return crc32(category.encode("utf-8", "replace")).to_bytes(CATEGORY_BYTES, "big") if category else NO_CATEGORY


def _count_cart(p: Profile, props: Props, quantity: int) -> None:
    total = whole_of(props, "cart_value_minor", absent=-1)
    code = currency_of(props) or p.currency
    if total < 0:
        if p.cart_minor > 0 and p.currency and code != p.currency:
            # They have no sum, and no rate is guessed.
            p.mixed = True
        p.cart_minor = max(0, min(LARGEST, p.cart_minor + whole_of(props, "price_minor") * quantity))
    else:
        p.cart_minor = total
        p.mixed = False
        # The shop knows better than our count, which may have begun in the middle.
        if total == 0 and quantity < 0:
            p.cart_items = 0
        elif total > 0 and p.cart_items == 0:
            p.cart_items = 1
    if p.cart_items == 0:
        p.cart_minor = p.checkout = 0
        p.mixed = False
    p.currency = code
    if p.mixed:
        p.cart_minor, p.currency = 0, ""


def _look_at(p: Profile, category: str, weight: float) -> None:
    affinity = p.affinity
    for name in affinity:
        affinity[name] *= _FADES
    affinity[category] = affinity.get(category, 0.0) + weight
    if len(affinity) > CATEGORIES:
        del affinity[min(affinity, key=affinity.__getitem__)]


def _may_be_shelf(link: str) -> bool:
    return page_kind(link.partition("?")[0]) is PageKind.OTHER
