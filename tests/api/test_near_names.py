"""What is said under a name that is none of ours counts for nothing, and the sender is told."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from insights.events.near_names import near_miss, near_type
from tests.api.conftest import Api


@pytest.mark.parametrize(
    ("props", "field", "ours"),
    [
        ({"mail": "a@shop.example"}, "mail", "email"),
        ({"traits": {"email_address": "a@shop.example"}}, "traits.email_address", "email"),
        ({"traits": {"e-mail": "a@shop.example"}}, "traits.e-mail", "email"),
        ({"Email": "a@shop.example"}, "Email", "email"),
        # Segment's client takes it from there, ours does not.
        ({"traits": {"email": "a@shop.example"}}, "traits.email", "email"),
        ({"phoneNumber": "+49171123"}, "phoneNumber", "phone"),
        ({"email": "a@shop.example", "traits": {"phone_number": 49171123}}, "traits.phone_number", "phone"),
        ({"userId": "42"}, "userId", "user_id"),
    ],
)
def test_a_name_that_is_nearly_ours_is_noticed(props: dict[str, Any], field: str, ours: str) -> None:
    told = near_miss("identified", props)
    assert told is not None
    assert told.startswith(f"{field}: is kept as a trait and names nobody; say it as {ours} ")


@pytest.mark.parametrize(
    "props",
    [
        {},
        {"email": "a@shop.example", "traits": {"email": "a@shop.example", "plan": "gold"}},
        {"user_id": "42", "traits": {"userId": "42", "email_verified": True, "mailing": "weekly"}},
        {"traits": {"mail": None, "Email": "", "phoneNumber": True}},
        {"traits": None},
    ],
)
def test_what_is_said_by_our_name_or_not_at_all_is_nothing_to_tell(props: dict[str, Any]) -> None:
    assert near_miss("identified", props) is None


@pytest.mark.parametrize(
    ("type", "props", "field", "ours"),
    [
        ("purchased", {"order_id": "1", "value": 49.99, "currency": "EUR"}, "value", "value_minor"),
        ("purchased", {"order_id": "1", "total": "49.99"}, "total", "value_minor"),
        ("purchased", {"order_id": "1", "valueMinor": 4999}, "valueMinor", "value_minor"),
        ("refunded", {"order_id": "1", "amount": 10}, "amount", "value_minor"),
        ("product_viewed", {"product_id": "a", "price": 9.5}, "price", "price_minor"),
        ("cart_added", {"product_id": "a", "price_minor": 950, "cart_total": 19}, "cart_total", "cart_value_minor"),
        ("checkout_started", {"value": 19}, "value", "cart_value_minor"),
    ],
)
def test_an_amount_by_another_name_is_noticed(type: str, props: dict[str, Any], field: str, ours: str) -> None:
    told = near_miss(type, props)
    assert told is not None
    assert told.startswith(f"{field}: is kept and counts for nothing; say it as {ours}, in minor units")
    assert near_miss(type, props | {ours: 4999}) is None
    assert near_miss("clicked", props) is None


async def test_an_order_without_worth_is_told_of_and_a_refund_of_all_for_a_part_is_refused(api: Api) -> None:
    order = api.event("purchased", {"order_id": "7", "value": 49.99, "currency": "EUR"})
    answer = (await api.send(api.batch(order))).json()
    assert answer["unread"][0]["error"].startswith("value: ")
    refund = api.event("refunded", {"order_id": "7", "amount": 10})
    answer = (await api.client.post("/v1/events", json=api.batch(refund), headers=api.headers)).json()
    [refused] = answer["rejected"]
    assert refused["error"].startswith("props.amount: ")


@pytest.mark.parametrize(
    ("name", "dialect", "ours"),
    [
        ("productViewed", None, "product_viewed"),
        ("Product_Viewed", "generic", "product_viewed"),
        ("orderCompleted", None, "purchased"),
        ("purchase", None, "purchased"),
        ("add_to_cart", None, "cart_added"),
        ("page-viewed", None, "page_viewed"),
        ("orderCompleted", "segment", "Order Completed"),
        ("addToCart", "ga4", "add_to_cart"),
        ("Add_To_Cart", "ga4", "add_to_cart"),
    ],
)
def test_an_event_by_another_spelling_is_noticed(name: str, dialect: str | None, ours: str) -> None:
    told = near_type(name, dialect)
    assert told is not None
    assert told.endswith(f": {name} is kept as custom and counts for nothing; say it as {ours}")
    assert near_miss("custom", {"name": name, "props": {}}, dialect) == told


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("newsletterOpened", None),
        ("wheel_spun", "generic"),
        # Known there: it said too little to be ours.
        ("Product_Viewed", "segment"),
        ("product-viewed", "segment"),
        ("purchase", "ga4"),
        ("checkout_completed", "shopify_pixel"),
        (None, None),
        ("", None),
        (7, None),
        ("purchase" * 20, None),
    ],
)
def test_an_event_of_the_shops_own_is_nothing_to_tell(name: object, dialect: str | None) -> None:
    assert near_type(name, dialect) is None


async def test_who_sends_an_order_by_another_spelling_is_told_that_it_is_none(api: Api) -> None:
    camel, own = api.event("orderCompleted", {"order_id": "9"}), api.event("wheelSpun", {})
    answer = (await api.send(api.batch(camel, own))).json()
    assert answer["accepted"] == 2
    [told] = answer["unread"]
    assert (told["id"], told["error"].partition(":")[0]) == (camel["id"], "type")
    track = {"event": "orderCompleted", "anonymousId": str(uuid4()), "properties": {"order_id": "9"}}
    answer = (await api.client.post("/v1/track", headers=api.headers, json=track)).json()
    assert answer["unread"][0]["error"].startswith("event: orderCompleted ")


async def test_the_page_is_told_of_the_event_whose_name_is_none(api: Api) -> None:
    good = api.event("identified", {"email": "a@shop.example"})
    near = api.event("identified", {"mail": "a@shop.example"})
    answer = (await api.send(api.batch(good, near))).json()
    [told] = answer["unread"]
    assert (answer["accepted"], told["id"]) == (2, near["id"])
    assert told["error"].startswith("mail: ")
    assert "unread" not in (await api.send(api.batch(good))).json()


async def test_segments_client_is_told_of_the_message(api: Api) -> None:
    def identify(**traits: str) -> dict[str, Any]:
        return {"type": "identify", "anonymousId": str(uuid4()), "messageId": str(uuid4()), "traits": traits}

    messages = [identify(email="a@shop.example"), identify(email_address="b@shop.example")]
    answer = await api.client.post("/v1/batch", headers=api.headers, json={"batch": messages})
    assert answer.json()["success"] is True
    [told] = answer.json()["unread"]
    assert told["index"] == 1
    assert told["error"].startswith("traits.email_address: ")
