"""What may arrive: good events stay, bad ones are named, nothing else happens."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.errors import Refused
from insights.events.reading import read_again, read_batch
from insights.events.wire import Limits, Reading
from insights.vocabulary.ids import uuid7

NOW = 1_795_000_000_000
LIMITS = Limits()


def event(type: str = "clicked", props: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    return {"id": str(uuid7(NOW)), "t": NOW, "type": type, "props": props or {}, **other}


def batch(*events: Any, **other: Any) -> bytes:
    head = {"visitor": str(uuid4()), "session": str(uuid7(NOW)), "tab": "t", "events": list(events)}
    return json.dumps(head | other).encode()


def read(*events: Any, **other: Any) -> Reading:
    return read_batch(batch(*events, **other), LIMITS, NOW)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (event(props={"label": "a\0b"}), "props.label: holds a NUL"),
        (event(props={"label": "\ud83d"}), "props.label: holds half of a character"),
        (event(props={"x": float("nan")}), "props.x: is not a finite number"),
        (event(props={"x": 10**400}), "props.x: is too large a number"),
        (event(props={"x": {"y": [10**30]}}), "props.x.y: is too large a number"),
        (event(props={"x": json.loads("[" * 40 + "]" * 40)}), "nested deeper"),
        (event("product_viewed", {"product_id": "p", "price_minor": "12"}), "props.price_minor: Expected `int"),
        (event("product_viewed", {"product_id": "p", "price_minor": 12.5}), "; send minor units, like 1250 for 12.50"),
        (
            event("product_viewed", {"product_id": "p", "currency": "euro"}),
            "props.currency: must be a three-letter code of ISO 4217, like EUR",
        ),
        (event("purchased", {"currency": "eur"}), "props.order_id: is missing"),
        (event("quick_back", {"from": 3}), "props.from: Expected `str"),
        (event("purchased", {"value_minor": 5}), "props.order_id: is missing"),
        (event("purchased", {"order_id": " "}), "props.order_id: must be the order's id; it is empty"),
        (event("purchased", {"order_id": ""}), "props.order_id: must be the order's id; it is empty"),
        (event(props={"x": "y" * 40_000}), "event: is larger than"),
        (event(t=0), "t: is not a time"),
        (event(t=NOW * 10), "t: is not a time"),
        (event(seq=-1), "seq:"),
        (event(id="no"), "id: Invalid UUID"),
        ({"id": str(uuid4())}, "t: is missing"),
        (5, "body: Expected `object`"),
        (None, "body: Expected `object`"),
    ],
)
def test_a_bad_event_is_named_and_its_neighbours_stay(bad: Any, reason: str) -> None:
    reading = read(event("page_viewed", {"path": "/"}), bad, event())
    assert [e.type for e in reading.batch.events] == ["page_viewed", "clicked"]
    (rejection,) = reading.rejected
    assert reason in rejection.error
    if isinstance(bad, dict):
        assert rejection.id == bad["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"{", "body"),
        (b"[" * 5000, "body"),
        (batch(event(), visitor="me"), "visitor"),
        (batch(event(), session=str(uuid4())), "session"),
        (batch(event(), tab="x" * 1000), "tab"),
        (batch(event(), tab="\0"), "tab"),
        (batch(*[event()] * 501), "events"),
        (batch(event(), events="x"), "events"),
    ],
)
def test_a_batch_of_which_nothing_can_be_kept_is_refused_by_field(body: bytes, field: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_batch(body, LIMITS, NOW)
    assert refusal.value.field == field


def test_an_unknown_type_is_kept_as_custom_and_unknown_props_are_kept() -> None:
    reading = read(event("wishlist_opened", {"n": 3}), event("clicked", {"colour": "red"}))
    custom, clicked = reading.batch.events
    assert (custom.type, custom.props) == ("custom", {"name": "wishlist_opened", "props": {"n": 3}})
    assert clicked.props == {"colour": "red"}


@pytest.mark.parametrize("code", ["eur", "Eur"])
def test_an_order_whose_currency_is_in_small_letters_is_an_order(code: str) -> None:
    reading = read(event("page_viewed"), event("purchased", {"order_id": "1", "value_minor": 5, "currency": code}))
    assert reading.rejected == []
    assert reading.batch.events[1].props == {"order_id": "1", "value_minor": 5, "currency": "EUR"}


@pytest.mark.parametrize("type", ["purchased", "refunded"])
@pytest.mark.parametrize("order", [" A 3", "A 3\n", "\t A 3 "])
def test_blanks_around_an_orders_id_make_no_other_order(type: str, order: str) -> None:
    reading = read(event("page_viewed"), event(type, {"order_id": order}))
    assert reading.rejected == []
    assert reading.batch.events[1].props == {"order_id": "A 3"}


@pytest.mark.parametrize("order", [1001, 0])
def test_an_order_whose_id_is_a_number_is_an_order(order: int) -> None:
    reading = read(event("page_viewed"), event("purchased", {"order_id": order, "value_minor": 5, "currency": "eur"}))
    assert reading.rejected == []
    assert reading.batch.events[1].props == {"order_id": str(order), "value_minor": 5, "currency": "EUR"}
    refused = read(event("page_viewed"), event("purchased", {"order_id": True}))
    assert "props.order_id: Expected `str`" in refused.rejected[0].error


@pytest.mark.parametrize(
    ("type", "props", "kept"),
    [
        ("purchased", {"order_id": "1", "value_minor": 1250.0, "items": 2.0}, {"value_minor": 1250, "items": 2}),
        ("purchased", {"order_id": 7.0, "value_minor": -0.0}, {"order_id": "7", "value_minor": 0}),
        ("cart_added", {"product_id": 7, "price_minor": 900.0, "quantity": 1}, {"product_id": "7", "price_minor": 900}),
        ("product_viewed", {"product_id": 7}, {"product_id": "7"}),
        ("identified", {"user_id": 42}, {"user_id": "42"}),
    ],
)
def test_what_a_shop_counts_as_a_number_loses_no_event(type: str, props: dict[str, Any], kept: dict[str, Any]) -> None:
    reading = read(event(type, props))
    assert reading.rejected == []
    [taken] = reading.batch.events
    assert {name: taken.props[name] for name in kept} == kept
    assert [value.__class__ for value in kept.values()] == [taken.props[name].__class__ for name in kept]


@pytest.mark.parametrize(
    ("type", "props", "named"),
    [
        ("purchased", {"order_id": "1", "value_minor": 12.5}, "props.value_minor"),
        ("purchased", {"order_id": "1", "value_minor": 1e300}, "props.value_minor"),
        ("purchased", {"order_id": 1.5}, "props.order_id"),
        ("product_viewed", {"product_id": True}, "props.product_id"),
        ("identified", {"user_id": 1e22}, "props.user_id"),
    ],
)
def test_what_is_no_such_number_is_refused_by_its_name(type: str, props: dict[str, Any], named: str) -> None:
    [refused] = read(event(type, props)).rejected
    assert refused.error.startswith(named)


def test_a_small_difference_of_clocks_is_left_alone_and_a_large_one_corrected() -> None:
    near = read(event(t=NOW - 3000), sent_at=NOW - 2000)
    assert near.batch.events[0].t == NOW - 3000
    hour = 3_600_000
    far = read(event(t=NOW - hour - 3000), sent_at=NOW - hour)
    assert (far.batch.events[0].t, far.skew_ms) == (NOW - 3000, hour)


def test_a_server_may_send_the_past() -> None:
    year = 365 * 86_400_000
    assert read(event(t=NOW - year), sent_at=NOW).batch.events[0].t == NOW - year


def test_a_rejected_event_is_read_again_by_the_rules_of_today() -> None:
    (rejection,) = read(event("purchased", {"value_minor": 5})).rejected
    assert read_again(rejection.raw, LIMITS, 0, NOW) == "props.order_id: is missing"
    mended = rejection.raw.replace(b'"value_minor": 5', b'"order_id": "1"')
    assert not isinstance(read_again(mended, LIMITS, 0, NOW), str)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)


@given(st.binary() | _json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        read_batch(body, LIMITS, NOW)
    except Refused as refusal:
        assert refusal.detail


@given(st.lists(_json, max_size=5))
def test_any_events_are_kept_or_rejected_one_by_one(events: list[Any]) -> None:
    reading = read(event(), *events)
    assert len(reading.batch.events) + len(reading.rejected) == len(events) + 1
    json.dumps([e.props for e in reading.batch.events], allow_nan=False)
