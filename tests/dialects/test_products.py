"""The products of other dialects: sold by weight, in long lists, and with parts that nobody can read."""

from __future__ import annotations

from typing import Any

import pytest

from insights.events.dialects import ga4, segment
from insights.events.dialects.translation import Envelope, Untranslatable

NOW = 1_795_300_000_000


def ordered(*products: Any, **more: Any) -> dict[str, Any]:
    """The props of an order as Segment's clients tell of it."""
    said = {"order_id": "1", "currency": "EUR", "products": list(products), **more}
    message = {"type": "track", "userId": "u", "event": "Order Completed", "properties": said}
    [translated] = segment.translate(message, Envelope(NOW))
    assert translated.type == "purchased"
    return translated.props


@pytest.mark.parametrize(("quantity", "price"), [(0.5, 995), ("1.250", 2488), (1e-3, 2)])
def test_what_is_sold_by_weight_is_one_piece_of_what_it_costs(quantity: Any, price: int) -> None:
    cheese = {"product_id": "cheese", "price": 19.90, "quantity": quantity}
    bread = {"product_id": "bread", "price": 3, "quantity": 2.0}
    order = ordered(cheese, bread)
    assert [(item["price_minor"], item["quantity"]) for item in order["items"]] == [(price, 1), (300, 2)]
    assert order["value_minor"] == price + 600
    push = {"event": "add_to_cart", "client_id": "c", "ecommerce": {"currency": "EUR", "items": [cheese]}}
    [added] = ga4.translate({**push, "ecommerce": {"items": [{**cheese, "item_id": "cheese"}]}}, Envelope(NOW))
    assert (added.props["price_minor"], added.props["quantity"]) == (price, 1)


@pytest.mark.parametrize(
    "part",
    [
        {"price": "19,90 €"},
        {"price": {"amount": 19.9}},
        {"quantity": "two"},
        {"quantity": -1},
        {"category": ["cheese", "soft"]},
    ],
)
def test_what_cannot_be_read_of_a_product_costs_nobody_their_order(part: dict[str, Any]) -> None:
    order = ordered({"product_id": "cheese", "name": "Brie", "price": 9, **part}, total=12.5)
    assert (order["value_minor"], order["items"]) == (
        1250,
        [{"product_id": "cheese", "name": "Brie", "currency": "EUR"}],
    )
    # What it came to would be a guess.
    assert "value_minor" not in ordered({"product_id": "cheese", "price": 9, **part}, {"product_id": "b", "price": 3})


def given_back(event: str, *products: Any, **more: Any) -> Any:
    """What Segment's clients say was given back of an order, in minor units."""
    said = {"order_id": "1", "currency": "EUR", "products": list(products), **more}
    message = {"type": "track", "userId": "u", "event": event, "properties": said}
    [translated] = segment.translate(message, Envelope(NOW, trusted=True))
    assert translated.type == "refunded"
    return translated.props.get("value_minor")


@pytest.mark.parametrize("part", [{"price": "19,90 €"}, {"quantity": "two"}, {"price": None}, {"currency": "JPY"}])
def test_a_refund_of_some_products_is_not_one_of_the_whole_order(part: dict[str, Any]) -> None:
    bread, cheese = {"product_id": "bread", "price": 3}, {"product_id": "cheese", "price": 9, **part}
    with pytest.raises(Untranslatable, match=r"properties\.total: is missing"):
        given_back("Order Refunded", bread, cheese)
    push = {"event": "refund", "client_id": "c", "ecommerce": {"transaction_id": "1", "currency": "EUR"}}
    with pytest.raises(Untranslatable, match="value: is missing"):
        ga4.translate({**push, "items": [bread, cheese]}, Envelope(NOW, trusted=True))
    assert given_back("Order Refunded", bread, cheese, total=5) == 500
    assert given_back("Order Refunded", bread) == 300
    # All of it.
    assert given_back("Order Refunded") is given_back("Order Cancelled", bread, cheese) is None
    [all_of_it] = ga4.translate(push, Envelope(NOW, trusted=True))
    assert "value_minor" not in all_of_it.props


def test_a_product_alone_that_cannot_be_read_is_refused_by_its_field() -> None:
    message = {
        "type": "track",
        "userId": "u",
        "event": "Product Viewed",
        "properties": {"product_id": "P", "price": "x"},
    }
    with pytest.raises(Untranslatable, match=r"properties\.price"):
        segment.translate(message, Envelope(NOW))


@pytest.mark.parametrize(
    ("products", "kept", "worth"),
    [
        ([{"product_id": str(n), "price": 1} for n in range(150)], 100, 15_000),
        ([{"price": 5}, {"sku": "s", "price": 1}], 1, 600),
        (["P1", {"sku": "s", "price": 1}], 1, None),
        (["P1"], 0, None),
    ],
)
def test_an_order_is_worth_all_that_is_in_it(products: list[Any], kept: int, worth: int | None) -> None:
    order = ordered(*products)
    assert (len(order.get("items", ())), order.get("value_minor")) == (kept, worth)
    assert ordered(*products, total=7)["value_minor"] == 700
