"""What a shop on Shopify tells of its orders, refunds and checkouts, beside what its pages tell."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.models import Conversion
from insights.models import Event, Session, Visitor
from tests.api.conftest import Api, api
from tests.sources.senders import SECRET, make, order, rows, shopify

__all__ = ["api"]


async def test_an_order_that_no_page_told_of_becomes_a_purchase_of_the_customer(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    subscribed = {**order()["customer"], "email_marketing_consent": {"state": "subscribed"}}
    assert await shopify(api, path, "orders/create", order(customer=subscribed)) == {
        "success": True,
        "repeated": False,
        "ignored": 0,
    }
    # The same order, told of by another topic.
    await shopify(api, path, "orders/paid", order())
    bought = [event for event in await rows(api, Event) if event.type == "purchased"]
    assert [(event.props["order_id"], event.props["value_minor"]) for event in bought] == [
        ("820982911946154500", 40994)
    ]
    [visitor] = await rows(api, Visitor)
    assert (visitor.user_id, visitor.email) == ("115310627314723950", "jon@shop.example")
    assert visitor.consent == {"marketing": True, "channels": ["email"]}


async def test_an_order_that_the_page_told_of_is_not_told_again_and_names_its_buyer(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    batch = api.batch(api.event("purchased", {"order_id": "5", "value_minor": 900, "currency": "EUR"}))
    await api.send(batch)
    await shopify(api, path, "orders/create", order(5))
    assert [event.type for event in await rows(api, Event)].count("purchased") == 1
    [visitor] = await rows(api, Visitor)
    assert (str(visitor.id), visitor.email) == (batch["visitor"], "jon@shop.example")
    [session] = await rows(api, Session)
    assert str(session.id) == batch["session"]


async def test_a_webhook_that_is_faster_than_the_page_lets_the_page_tell(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    batch = api.batch(api.event("purchased", {"order_id": "78", "value_minor": 900, "currency": "EUR"}))
    hook = asyncio.create_task(shopify(api, path, "orders/create", order(78, created_at=datetime.now(UTC).isoformat())))
    await asyncio.sleep(0.2)
    await api.send(batch)
    await hook
    assert [str(event.visitor_id) for event in await rows(api, Event) if event.type == "purchased"] == [
        batch["visitor"]
    ]
    [conversion] = await rows(api, Conversion)
    assert str(conversion.visitor_id) == batch["visitor"]


async def test_an_order_that_the_page_called_by_its_long_name_is_the_same_order(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    long = "gid://shopify/OrderIdentity/77"
    await api.send(api.batch(api.event("purchased", {"order_id": long, "value_minor": 900, "currency": "EUR"})))
    await shopify(api, path, "orders/create", order(77))
    transactions = [{"kind": "refund", "status": "success", "amount": "9", "currency": "EUR"}]
    await shopify(api, path, "refunds/create", {"id": 1, "order_id": 77, "transactions": transactions})
    assert [conversion.key for conversion in await rows(api, Conversion)] == [long]
    assert [e.props["order_id"] for e in await rows(api, Event) if e.type == "refunded"] == [long]


async def test_a_cart_that_carries_the_visitor_is_theirs(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    batch = api.batch(api.event("page_viewed"))
    await api.send(batch)
    attributes = [
        {"name": "_whyleft_visitor", "value": batch["visitor"]},
        {"name": "_whyleft_session", "value": batch["session"]},
    ]
    await shopify(api, path, "orders/create", order(6, note_attributes=attributes))
    [bought] = [event for event in await rows(api, Event) if event.type == "purchased"]
    assert (str(bought.visitor_id), str(bought.session_id)) == (batch["visitor"], batch["session"])


async def test_a_refund_goes_to_whoever_bought_and_opens_no_visit(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    [before] = await rows(api, Session)
    refund = {
        "id": 1,
        "order_id": 7,
        "created_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "100.00", "currency": "EUR"},
            {"kind": "refund", "status": "failure", "amount": "309.94", "currency": "EUR"},
        ],
    }
    for _ in range(2):
        await shopify(api, path, "refunds/create", refund)
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert told.props == {"order_id": "7", "refund_id": "1", "value_minor": 10000, "currency": "EUR"}
    [conversion] = await rows(api, Conversion)
    assert told.visitor_id == conversion.visitor_id
    [after] = await rows(api, Session)
    assert (after.id, after.last_event_at, after.close_at) == (before.id, before.last_event_at, before.close_at)
    # Nothing given back: nothing told.
    await shopify(api, path, "refunds/create", {**refund, "id": 2, "transactions": []})
    assert len([event for event in await rows(api, Event) if event.type == "refunded"]) == 1


async def test_a_refund_that_is_under_way_is_one_for_shopify_tells_of_it_once(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    transactions = [{"kind": "refund", "status": "pending", "amount": "100.00", "currency": "EUR"}]
    await shopify(api, path, "refunds/create", {"id": 1, "order_id": 7, "transactions": transactions})
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert (told.props["value_minor"], told.props["currency"]) == (10000, "EUR")


async def test_an_order_of_many_products_with_long_names_is_an_order(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    lines = [{"product_id": n, "title": "Чайник " * 36, "quantity": 1, "price": "1.00"} for n in range(300)]
    told = await shopify(api, path, "orders/create", order(7, line_items=lines, total_price="300.00"))
    assert "rejected" not in told
    [conversion] = await rows(api, Conversion)
    assert conversion.value_minor == 30000
    [bought] = [event for event in await rows(api, Event) if event.type == "purchased"]
    kept = [item["product_id"] for item in bought.props["items"]]
    assert len(kept) > 20
    assert kept == [str(n) for n in range(len(kept))]


def refunded_abroad(order_id: int, code: str, amount: str) -> dict[str, Any]:
    """Half of an order over 409.94 EUR, given back in the customer's currency as Shopify writes it."""
    both = {
        "shop_money": {"amount": "204.97", "currency_code": "EUR"},
        "presentment_money": {"amount": amount, "currency_code": code},
    }
    return {
        "id": 1,
        "order_id": order_id,
        "refund_line_items": [{"quantity": 1, "subtotal": float(amount), "subtotal_set": both}],
        "transactions": [{"kind": "refund", "status": "success", "amount": amount, "currency": code}],
    }


@pytest.mark.parametrize(("code", "amount"), [("USD", "221.37"), ("JPY", "37100"), ("KWD", "68.250")])
async def test_what_is_given_back_in_the_customers_currency_is_told_in_the_orders(
    api: Api, code: str, amount: str
) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    await shopify(api, path, "refunds/create", refunded_abroad(7, code, amount))
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert (told.props["value_minor"], told.props["currency"]) == (20497, "EUR")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        # By the refund's own rate both are the order's.
        ({}, [{"refund_id": "1", "value_minor": 20497 + 1000, "currency": "EUR"}]),
        (
            {"refund_line_items": []},
            [
                {"refund_id": "1", "value_minor": 22137, "currency": "USD"},
                {"refund_id": "1/EUR", "value_minor": 1000, "currency": "EUR"},
            ],
        ),
    ],
)
async def test_what_is_given_back_in_two_currencies_is_not_added_up(
    api: Api, more: dict[str, Any], told: list[dict[str, Any]]
) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    refund = refunded_abroad(7, "USD", "221.37") | more
    refund["transactions"].append({"kind": "refund", "status": "success", "amount": "10.00", "currency": "EUR"})
    await shopify(api, path, "refunds/create", refund)
    found = [event.props for event in await rows(api, Event) if event.type == "refunded"]
    assert sorted(found, key=lambda props: props["refund_id"]) == [{"order_id": "7", **one} for one in told]


@pytest.mark.parametrize("told_by_page", [False, True])
async def test_a_test_order_is_no_order(api: Api, told_by_page: bool) -> None:
    path, _ = await make(api, "shopify", SECRET)
    if told_by_page:
        await api.send(api.batch(api.event("purchased", {"order_id": "7", "value_minor": 900, "currency": "EUR"})))
    for topic in ("orders/create", "orders/paid"):
        await shopify(api, path, topic, order(7, test=True))
    assert len(await rows(api, Session)) == len(await rows(api, Conversion)) == told_by_page
    # Nobody saw that the page's order was one: what it earned is taken back.
    [back] = [event.props for event in await rows(api, Event) if event.type == "refunded"]
    assert back == {"order_id": "7", "refund_id": "test/7"}
    assert [visitor.email for visitor in await rows(api, Visitor)] == [None] * told_by_page


async def test_an_order_that_a_page_told_in_the_customers_currency_is_given_back_in_it(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await api.send(api.batch(api.event("purchased", {"order_id": "7", "value_minor": 44274, "currency": "USD"})))
    await shopify(api, path, "refunds/create", refunded_abroad(7, "USD", "221.37"))
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert (told.props["value_minor"], told.props["currency"]) == (22137, "USD")


async def test_a_checkout_is_started_once_however_often_it_is_updated(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    checkout = {"token": "tok", "created_at": datetime.now(UTC).isoformat(), "currency": "EUR", "total_price": "9.00"}
    await shopify(api, path, "checkouts/update", checkout)
    await shopify(api, path, "checkouts/update", {**checkout, "email": "late@shop.example"})
    await shopify(api, path, "checkouts/update", {**checkout, "completed_at": checkout["created_at"]})
    assert sorted(event.type for event in await rows(api, Event)) == ["checkout_started", "identified"]
    [visitor] = await rows(api, Visitor)
    assert visitor.email == "late@shop.example"


async def test_a_checkout_is_worth_what_stands_in_it_in_the_customers_currency(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    checkout = {
        "token": "tok",
        "email": "jun@shop.example",
        "created_at": datetime.now(UTC).isoformat(),
        "currency": "USD",
        "presentment_currency": "JPY",
        "total_price": "15000",
        "line_items": [{"product_id": 7, "title": "Tee", "quantity": 2, "price": "7500"}],
    }
    await shopify(api, path, "checkouts/create", checkout)
    [started] = [event.props for event in await rows(api, Event) if event.type == "checkout_started"]
    assert (started["cart_value_minor"], started["currency"]) == (15000, "JPY")
    assert [(item["price_minor"], item["currency"]) for item in started["products"]] == [(7500, "JPY")]


@pytest.mark.parametrize("topic", ["orders/create", "orders/paid"])
async def test_an_order_brought_along_from_another_shop_system_was_placed_there(api: Api, topic: str) -> None:
    path, _ = await make(api, "shopify", SECRET)
    page = api.batch(api.event("page_viewed"), api.event("identified", {"email": "jon@shop.example"}))
    await api.send(page)
    # Shopify's created_at is then when it was brought along.
    brought = order(4711, created_at=datetime.now(UTC).isoformat(), processed_at="2024-03-01T10:00:00-05:00")
    await shopify(api, path, topic, brought)
    [conversion] = await rows(api, Conversion)
    assert conversion.occurred_at == datetime(2024, 3, 1, 15, tzinfo=UTC)
    [bought] = [event for event in await rows(api, Event) if event.type == "purchased"]
    assert str(bought.session_id) != page["session"]


async def test_what_an_order_came_to_is_told_by_shopify_where_the_page_did_not_know(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    long = "gid://shopify/Order/79"
    batch = api.batch(api.event("purchased", {"order_id": long}))
    await api.send(batch)
    await shopify(api, path, "orders/create", order(79))
    [conversion] = await rows(api, Conversion)
    assert (conversion.key, conversion.value_minor, conversion.currency) == (long, 40994, "EUR")
    [session] = await rows(api, Session)
    assert str(session.id) == batch["session"]
