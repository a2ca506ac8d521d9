"""What was in the cart when the visitor left, and what they had looked at: folded from the session's events.

Pure. The texts are cleaned, the amounts checked and the lists bounded here, once: what follows is stored with a flow
run and read by templates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from insights.recovery.plain import currency, unlinked, whole
from insights.timeline.timeline import TimelineEvent

MOST_ITEMS: Final = 20
MOST_VIEWED: Final = 10
MOST_QUANTITY: Final = 999
MOST_NAME: Final = 80

Item = dict[str, Any]


def cart_items(events: Iterable[TimelineEvent]) -> list[Item]:
    """What is in the cart at the end, in the order it was put in: product_id, name, price_minor or None, currency or
    None, quantity.

    A list of items in checkout_started is the shop's own word and replaces what was folded: ``items``, or ``products``
    where other dialects tell of it, whose ``items`` are how many. A purchase empties the cart. A product without a name
    on its cart event takes the name from the page it was seen on.
    """
    known: dict[str, Item] = {}
    cart: dict[str, Item] = {}
    for event in events:
        if event.type == "product_viewed":
            _remember(known, event.props)
        elif event.type == "cart_added":
            _add(cart, known, event.props)
        elif event.type == "cart_removed":
            _remove(cart, event.props)
        elif event.type == "checkout_started":
            listed: dict[str, Item] = {}
            for props in _listed(event.props):
                if isinstance(props, Mapping):
                    _add(listed, known, props)
            cart = listed or cart
        elif event.type == "purchased":
            cart = {}
    return list(cart.values())[:MOST_ITEMS]


def _listed(props: Mapping[str, object]) -> list[Any]:
    return next((said for name in ("items", "products") if isinstance(said := props.get(name), list)), [])


def viewed_products(events: Iterable[TimelineEvent]) -> list[Item]:
    """Products seen, the one seen last first: product_id, name, price_minor or None, currency or None."""
    seen: dict[str, Item] = {}
    for event in events:
        if event.type == "product_viewed" and (product_id := _product_id(event.props)):
            seen.pop(product_id, None)
            seen[product_id] = {
                "product_id": product_id,
                "name": unlinked(event.props.get("name"), MOST_NAME),
                "price_minor": whole(event.props.get("price_minor")),
                "currency": currency(event.props.get("currency")),
            }
    return list(reversed(seen.values()))[:MOST_VIEWED]


def _product_id(props: Mapping[str, object]) -> str:
    return unlinked(props.get("product_id"), 128)


def _remember(known: dict[str, Item], props: Mapping[str, object]) -> None:
    if product_id := _product_id(props):
        known[product_id] = {
            "name": unlinked(props.get("name"), MOST_NAME),
            "price_minor": whole(props.get("price_minor")),
            "currency": currency(props.get("currency")),
        }


def _add(cart: dict[str, Item], known: Mapping[str, Item], props: Mapping[str, object]) -> None:
    product_id = _product_id(props)
    if not product_id:
        return
    seen = known.get(product_id, {})
    before = cart.get(product_id, {})
    quantity = whole(props.get("quantity"))
    price = whole(props.get("price_minor"))
    priced = props if price is not None else before or seen
    cart[product_id] = {
        "product_id": product_id,
        "name": unlinked(props.get("name"), MOST_NAME) or before.get("name") or seen.get("name") or product_id,
        "price_minor": whole(priced.get("price_minor")),
        "currency": currency(priced.get("currency")),
        "quantity": min(before.get("quantity", 0) + (1 if quantity is None else quantity), MOST_QUANTITY),
    }
    if cart[product_id]["quantity"] == 0:
        del cart[product_id]


def _remove(cart: dict[str, Item], props: Mapping[str, object]) -> None:
    item = cart.get(_product_id(props))
    if item is None:
        return
    quantity = whole(props.get("quantity"))
    left = item["quantity"] - (1 if quantity is None else quantity)
    if left > 0:
        item["quantity"] = left
    else:
        del cart[item["product_id"]]
