"""What an insight tells the flows that it starts."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.ports import Trigger
from insights.events.dialects.translation import Envelope
from insights.events.reception import DIALECTS
from insights.recovery.trigger import insight_trigger
from insights.timeline.timeline import Timeline
from insights.vocabulary.events import PROPS
from tests.recovery.sessions import INSIGHT, KETTLE, MUG, SESSION, START, VISITOR, session


def trigger(timeline: Timeline, **changes: Any) -> Trigger:
    fields: dict[str, Any] = {
        "insight_id": INSIGHT,
        "kind": "abandoned",
        "reason": "technical_error",
        "confidence": 0.9,
        "narrative": "The cart failed.",
    }
    return insight_trigger(timeline, **(fields | changes))


FAILED = ("request_failed", {"method": "POST", "path": "/api/cart/8841", "status": 500, "ms": 90})


def test_each_insight_has_its_key_and_successive_ones_share_a_group() -> None:
    timeline = session(("page_viewed", {"path": "/"}))
    first = trigger(timeline)
    other = trigger(timeline, insight_id=uuid4())
    assert first.key == trigger(timeline).key == f"insight:{INSIGHT}"
    assert other.key != first.key
    assert other.group == first.group == f"session:{SESSION}"
    assert (first.kind, first.visitor_id, first.occurred_at) == ("insight", VISITOR, START)


def test_the_facts_are_complete_and_fit_into_json() -> None:
    timeline = session(
        ("page_viewed", {"path": "/mug"}),
        ("product_viewed", MUG),
        ("product_viewed", KETTLE),
        ("cart_added", {**MUG, "quantity": 2, "cart_value_minor": 2900}),
        FAILED,
        FAILED,
    )
    facts = json.loads(json.dumps(trigger(timeline).facts))
    assert facts["insight"] == {
        "id": str(INSIGHT),
        "session_id": str(SESSION),
        "kind": "abandoned",
        "reason": "technical_error",
        "confidence": 0.9,
        "narrative": "The cart failed.",
    }
    assert facts["session"] == {
        "landing_path": "/mug",
        "exit_path": "/cart",
        "exit_url": "https://shop.example/cart",
        "ended_at": "2026-03-28T12:00:05+00:00",
        "currency": "EUR",
    }
    assert facts["cart"] == {
        "value_minor": 2900,
        "currency": "EUR",
        "count": 2,
        "items": [{"product_id": "mug", "name": "Morning mug", "price_minor": 1450, "quantity": 2}],
    }
    assert [product["product_id"] for product in facts["products"]] == ["kettle", "mug"]
    assert facts["error"]["path"] == "/api/cart/:id"
    assert facts["error"]["status"] == 500
    assert facts["error"]["count"] == 2
    assert facts["error"]["event_ids"] == [str(event.id) for event in timeline.events if event.type == "request_failed"]


def test_a_broken_request_is_reported_before_a_noisy_script_and_a_refused_one() -> None:
    noise = ("js_error", {"message": "ResizeObserver loop", "source": "https://cdn.example/widget.js"})
    refused = ("request_failed", {"method": "POST", "path": "/api/coupon", "status": 404})
    error = trigger(session(noise, noise, noise, refused, refused, FAILED)).facts["error"]
    assert (error["kind"], error["path"], error["count"]) == ("request", "/api/cart/:id", 1)
    assert trigger(session(refused, refused, noise)).facts["error"]["kind"] == "script"


def test_a_session_without_errors_has_none() -> None:
    assert trigger(session(("page_viewed", {}))).facts["error"] is None


def test_the_page_they_left_keeps_no_token_and_no_false_host() -> None:
    timeline = session(("page_viewed", {}), url="https://shop.example@evil.example:8443/x?secret=1")
    assert trigger(timeline).facts["session"]["exit_url"] == "https://evil.example:8443/x"
    assert trigger(session(("page_viewed", {}), url="javascript:alert(1)")).facts["session"]["exit_url"] is None


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("cart_added", MUG), ("cart_added", MUG)], [("mug", 2)]),
        ([("cart_added", {**MUG, "quantity": 3}), ("cart_removed", {**MUG, "quantity": 1})], [("mug", 2)]),
        ([("cart_added", MUG), ("cart_removed", MUG)], []),
        ([("cart_removed", MUG)], []),
        ([("cart_added", MUG), ("purchased", {"order_id": "1"}), ("cart_added", KETTLE)], [("kettle", 1)]),
        ([("cart_added", MUG), ("checkout_started", {"items": [KETTLE]})], [("kettle", 1)]),
        ([("cart_added", MUG), ("checkout_started", {"items": 1})], [("mug", 1)]),
        ([("cart_added", MUG), ("checkout_started", {"items": ["mug", None]})], [("mug", 1)]),
        ([("cart_added", MUG), ("checkout_started", {"items": 1, "products": [KETTLE]})], [("kettle", 1)]),
        ([("cart_added", MUG), ("checkout_started", {"products": "all"})], [("mug", 1)]),
    ],
)
def test_the_cart_is_what_was_in_it_at_the_end(
    events: list[tuple[str, dict[str, Any]]], expected: list[tuple[str, int]]
) -> None:
    items = trigger(session(*events)).facts["cart"]["items"]
    assert [(item["product_id"], item["quantity"]) for item in items] == expected


_SHOPIFY = {"currencyCode": "EUR", "amount": 14.5}
CHECKOUTS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "segment": (
        None,
        {
            "type": "track",
            "event": "Checkout Started",
            "userId": "ada",
            "properties": {
                "currency": "EUR",
                "products": [{"product_id": "mug", "name": "Morning mug", "price": 14.5, "quantity": 2}],
            },
        },
    ),
    "ga4": (
        None,
        {
            "name": "begin_checkout",
            "client_id": "1.2",
            "params": {
                "currency": "EUR",
                "items": [{"item_id": "mug", "item_name": "Morning mug", "price": 14.5, "quantity": 2}],
            },
        },
    ),
    "shopify_pixel": (
        None,
        {
            "name": "checkout_started",
            "clientId": "c",
            "data": {
                "checkout": {
                    "totalPrice": {"currencyCode": "EUR", "amount": 29},
                    "lineItems": [
                        {
                            "quantity": 2,
                            "title": "Morning mug",
                            "variant": {"price": _SHOPIFY, "product": {"id": "mug", "title": "Morning mug"}},
                        }
                    ],
                }
            },
        },
    ),
    "shopify": (
        "checkouts/create",
        {
            "token": "t",
            "email": "ada@shop.example",
            "currency": "EUR",
            "total_price": "29.00",
            "line_items": [{"product_id": "mug", "title": "Morning mug", "price": "14.50", "quantity": 2}],
        },
    ),
}


@pytest.mark.parametrize("dialect", CHECKOUTS)
def test_what_is_in_a_checkout_is_in_the_cart_whoever_tells_of_it(dialect: str) -> None:
    topic, message = CHECKOUTS[dialect]
    [told] = DIALECTS[dialect](message, Envelope(received_ms=0, type=topic, trusted=True))
    cart = trigger(session((told.type, told.props))).facts["cart"]
    mug = {"product_id": "mug", "name": "Morning mug", "price_minor": 1450, "quantity": 2}
    assert (cart["items"], cart["count"], cart["value_minor"]) == ([mug], 2, 2900)


def test_a_cart_in_several_currencies_has_no_value_and_no_price_in_a_wrong_one() -> None:
    yen = {"product_id": "tea", "price_minor": 1500, "currency": "JPY"}
    cart = trigger(session(("cart_added", MUG), ("cart_added", yen), ("product_viewed", MUG))).facts["cart"]
    assert (cart["value_minor"], cart["currency"]) == (None, "EUR")
    assert [(item["product_id"], item["price_minor"]) for item in cart["items"]] == [("mug", 1450), ("tea", None)]
    # One that is empty of the others again has one.
    cart = trigger(session(("cart_added", MUG), ("cart_added", yen), ("cart_removed", MUG))).facts["cart"]
    assert (cart["value_minor"], cart["currency"]) == (1500, "JPY")


def test_a_product_without_a_name_takes_the_one_it_was_seen_under() -> None:
    items = trigger(session(("product_viewed", MUG), ("cart_added", {"product_id": "mug"}))).facts["cart"]["items"]
    assert items == [{"product_id": "mug", "name": "Morning mug", "price_minor": 1450, "quantity": 1}]


def test_a_flood_of_products_stays_small() -> None:
    flood = [("cart_added", {"product_id": f"{number}" * 100, "name": "N" * 4000}) for number in range(500)]
    facts = trigger(session(*flood)).facts
    assert len(facts["cart"]["items"]) == 20
    assert len(json.dumps(facts)) < 10_000


hostile = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.text()),
)
events = st.lists(
    st.tuples(
        st.sampled_from([*sorted(PROPS), "new_type"]),
        st.dictionaries(
            st.sampled_from(
                [
                    "product_id",
                    "name",
                    "price_minor",
                    "quantity",
                    "currency",
                    "items",
                    "path",
                    "status",
                    "method",
                    "message",
                    "source",
                    "line",
                    "cart_value_minor",
                ]
            ),
            hostile,
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(events, st.text())
def test_no_event_whatever_its_props_breaks_the_facts(given_events: list[tuple[str, dict[str, Any]]], url: str) -> None:
    facts = trigger(session(*given_events, url=url)).facts
    assert "\\u0000" not in json.dumps(facts)
    json.dumps(facts, ensure_ascii=False, allow_nan=False).encode()
