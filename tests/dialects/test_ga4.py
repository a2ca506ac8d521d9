"""GA4 in our words: pushes to a dataLayer and bodies of the Measurement Protocol."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from insights.events.dialects import ga4
from insights.events.dialects.names import GA4
from insights.events.dialects.translation import Envelope, Translated, Untranslatable
from insights.models import Event
from insights.vocabulary.events import PROPS
from tests.api.conftest import Api, api

__all__ = ["api"]

NOW = 1_790_000_000_000
CART = {"currency": "EUR", "items": [{"item_id": "P1", "price": 12.5}]}
ITEMS = [
    {"item_id": "SKU_1", "item_name": "Tee", "item_category": "Apparel", "price": 10.01, "quantity": 3},
    {"item_id": "SKU_2", "price": "5"},
]


def read(event: dict[str, Any], **around: Any) -> list[Translated]:
    context = {"client_id": "1234.5678", **around}
    return ga4.translate(event, Envelope(received_ms=NOW, context=context, trusted=True))


def shown(event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(said.type, said.props) for said in read(event)]


def test_every_name_in_the_table_is_one_of_our_types_and_has_a_reader() -> None:
    sample = {"currency": "EUR", "value": 1, "items": ITEMS, "transaction_id": "T", "promotion_name": "code X"}
    for name, type_ in GA4.items():
        assert type_ in PROPS
        assert {said.type for said in read({"name": name, "params": sample})} == {type_}, name


def test_a_push_to_the_data_layer_and_a_call_of_the_protocol_say_the_same() -> None:
    push = {"event": "add_to_cart", "ecommerce": {"currency": "eur", "value": 35.03, "items": ITEMS}, "gtm.start": 1}
    call = {"name": "add_to_cart", "params": {"currency": "EUR", "value": 35.03, "items": ITEMS}}
    assert shown(push) == shown(call)
    assert shown(push) == [
        (
            "cart_added",
            {"product_id": "SKU_1", "name": "Tee", "category": "Apparel", "price_minor": 1001, "quantity": 3}
            | {"currency": "EUR"},
        ),
        ("cart_added", {"product_id": "SKU_2", "price_minor": 500, "quantity": 1, "currency": "EUR"}),
    ]


@pytest.mark.parametrize(
    "push", [["event", "add_to_cart", CART], {"0": "event", "1": "add_to_cart", "2": CART, "gtm.uniqueEventId": 7}]
)
def test_what_gtag_pushes_is_an_event(push: Any) -> None:
    """As ``JSON.stringify`` writes the arguments of ``gtag("event", "add_to_cart", {…})``."""
    [said] = ga4.translate(push, Envelope(NOW, context={"client_id": "c"}))
    assert (said.type, said.props["product_id"], said.props["price_minor"]) == ("cart_added", "P1", 1250)


@pytest.mark.parametrize(
    "push",
    [
        ["js", "2026-11-22T14:00:00Z"],
        {"0": "config", "1": "G-1"},
        {"0": "consent", "1": "update", "2": {"ad_storage": "denied"}},
        {"ecommerce": None},
        {"ecommerce": None, "_clear": True, "gtm.uniqueEventId": 8},
    ],
)
def test_a_push_that_says_nothing_of_anybody_is_none_and_no_fault(push: Any) -> None:
    assert ga4.translate(push, Envelope(NOW, context={"client_id": "c"})) == []


@pytest.mark.parametrize("push", [{}, [], {"ecommerce": {"items": []}}, {"0": 5}, "event", None, ["event"]])
def test_a_push_that_nobody_understands_is_refused(push: Any) -> None:
    with pytest.raises(Untranslatable):
        ga4.translate(push, Envelope(NOW, context={"client_id": "c"}))


def test_an_item_is_priced_in_its_own_currency() -> None:
    mug, tea = {"item_id": "mug", "price": 1250, "currency": "jpy"}, {"item_id": "tea", "price": 5, "currency": "USD"}
    added = {"name": "add_to_cart", "params": {"currency": "EUR", "items": [mug, tea, {"item_id": "pot", "price": 9}]}}
    assert [(props["price_minor"], props["currency"]) for _, props in shown(added)] == [
        (1250, "JPY"),
        (500, "USD"),
        (900, "EUR"),
    ]
    # What cannot be read is no reason to lose an order.
    [(_, props)] = shown({"name": "purchase", "params": {"transaction_id": "T", "items": [mug | {"currency": "¥"}]}})
    assert props["value_minor"] == 125_000


@pytest.mark.parametrize("name", ["begin_checkout", "purchase"])
def test_prices_in_several_currencies_have_no_sum(name: str) -> None:
    mug, tea = {"item_id": "mug", "price": 1250, "currency": "JPY"}, {"item_id": "tea", "price": 5, "currency": "USD"}

    def worth(*items: dict[str, Any], **more: Any) -> tuple[Any, Any]:
        [(_, props)] = shown({"name": name, "params": {"transaction_id": "T", "items": list(items), **more}})
        return props.get("cart_value_minor", props.get("value_minor")), props.get("currency")

    assert worth(mug, mug) == (2500, "JPY")
    assert worth(mug, tea) == (None, None)
    assert worth(mug, tea, currency="USD") == (None, "USD")
    assert worth(mug, tea, currency="USD", value=13.5) == (1350, "USD")


@pytest.mark.parametrize(("done", "now"), [("add_shipping_info", "payment"), ("add_payment_info", "review")])
def test_whoever_is_done_with_a_step_stands_before_the_next(done: str, now: str) -> None:
    assert shown({"name": done, "params": {"value": 1}}) == [("checkout_step", {"step": now})]


def test_a_code_that_stands_in_the_checkout_was_taken() -> None:
    told = shown({"name": "begin_checkout", "params": {"coupon": "SUMMER"}})
    assert [type_ for type_, _ in told] == ["checkout_started", "coupon_tried"]
    assert len({said.key for said in read({"name": "begin_checkout", "params": {"coupon": "SUMMER"}})}) == 2


def test_an_order_has_its_number_its_worth_and_its_items() -> None:
    [(type_, props)] = shown(
        {"name": "purchase", "params": {"transaction_id": "T_1", "value": 35, "currency": "JPY", "items": ITEMS[1:]}}
    )
    assert (type_, props["order_id"], props["value_minor"], props["currency"]) == ("purchased", "T_1", 35, "JPY")
    with pytest.raises(Untranslatable, match="transaction_id: is missing"):
        read({"name": "purchase", "params": {"value": 1}})


def test_a_refund_is_told_in_what_was_given_back_or_in_all_of_it() -> None:
    [(_, props)] = shown({"name": "refund", "params": {"transaction_id": "T_1", "currency": "EUR"}})
    assert props == {"order_id": "T_1", "currency": "EUR"}
    [(_, props)] = shown({"name": "refund", "params": {"transaction_id": "T_1", "currency": "EUR", "value": 3.5}})
    assert props["value_minor"] == 350


def test_what_shops_have_no_word_for_is_kept_whole() -> None:
    assert shown({"name": "level_up", "params": {"level": 3}}) == [
        ("custom", {"name": "level_up", "props": {"level": 3}})
    ]
    # A view of no product in particular tells of no product.
    assert shown({"name": "view_item", "params": {"items": []}})[0][0] == "custom"


def test_time_place_and_person_are_taken_from_where_google_puts_them() -> None:
    event = {
        "name": "search",
        "params": {"search_term": "tee", "session_id": 17, "page_location": "https://s.example/q"},
    }
    [said] = read(event, user_id="u", timestamp_micros="1789999999000000")
    assert (said.at_ms, said.session, said.url) == (1_789_999_999_000, "17", "https://s.example/q")
    assert (said.who.anonymous_id, said.who.user_id) == ("1234.5678", "u")
    with pytest.raises(Untranslatable, match="client_id: is missing"):
        ga4.translate(event, Envelope(received_ms=NOW))


async def test_events_arrive_over_http_in_the_session_that_google_names(api: Api) -> None:
    body = {
        "client_id": "c.1",
        "events": [
            {"name": "page_view", "params": {"page_location": "https://s.example/a?x=1", "session_id": "1"}},
            {"name": "add_to_cart", "params": {"items": ITEMS, "currency": "EUR", "session_id": "1"}},
            {"name": "page_view", "params": {"page_location": "https://s.example/b", "session_id": "2"}},
            {"name": "purchase", "params": {}},
        ],
    }
    answer = await api.client.post("/v1/ga4", params={"api_secret": api.write}, json=body)
    assert answer.json()["rejected"] == [
        {"index": 3, "error": "transaction_id: is missing; it tells this order from others"}
    ]
    push = {"event": "begin_checkout", "ecommerce": {"value": 9}, "client_id": "c.1"}
    answer = await api.client.post("/v1/ga4", params={"key": api.write}, json=push)
    assert answer.json() == {"success": True}
    async with api.services.database.transaction(api.project_id) as tx:
        events = list(await tx.scalars(select(Event).order_by(Event.occurred_at, Event.seq)))
    assert sorted(event.type for event in events) == [
        "cart_added",
        "cart_added",
        "checkout_started",
        "page_viewed",
        "page_viewed",
    ]
    assert len({event.session_id for event in events}) == 2
    assert len({event.visitor_id for event in events}) == 1
