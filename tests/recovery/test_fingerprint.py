"""When two errors are the same one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.recovery.fingerprint import (
    message_shape,
    path_shape,
    request_fingerprint,
    script_fingerprint,
    source_shape,
    stack_shape,
)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/cart", "/api/cart"),
        ("/api/carts/8841/items/7?x=1#top", "/api/carts/:id/items/:id"),
        ("https://api.shop.example/v2/cart/", "/v2/cart"),
        ("/orders/3f2a9c1e-1c2d-4e5f-8a9b-0c1d2e3f4a5b", "/orders/:id"),
        ("/orders/deadbeef01", "/orders/:id"),
        ("/reset/aZ3kPq9LmX2vTr8WqY", "/reset/:id"),
        ("/user/anna%40example.com/cart", "/user/:id/cart"),
        ("/collections/summer-sale-2026", "/collections/summer-sale-2026"),
        ("/products/gooseneck-kettle", "/products/gooseneck-kettle"),
        ("", "/"),
        (None, "/"),
        ("http://[broken/x?secret=1", "/http:/[broken/x"),
    ],
)
def test_a_path_loses_what_differs_between_visitors(path: Any, shape: str) -> None:
    assert path_shape(path) == shape


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ("Cannot read properties of undefined (reading 'price')", None),
        ("Item 17 costs 12.50", "Item <n> costs <n>"),
        ("No user 'Anna Müller'", "No user <text>"),
        ("Failed: https://x.example/a?token=1", "Failed: <url>"),
        ("for anna@example.com", "for <address>"),
        ("can't load 'a b' twice", "can't load <text> twice"),
        ("Chunk 0xdeadbeef failed", "Chunk <id> failed"),
        (None, ""),
    ],
)
def test_a_message_keeps_names_and_loses_data(message: Any, shape: str | None) -> None:
    assert message_shape(message) == (message if shape is None else shape)


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("https://shop.example/assets/app.3f9a2c1d.js?v=2", "/assets/app.js"),
        ("/assets/app-BdZ81kQx.js", "/assets/app.js"),
        ("/assets/app-checkout.js", "/assets/app-checkout.js"),
        (None, ""),
    ],
)
def test_a_source_is_the_same_after_the_next_build(source: Any, shape: str) -> None:
    assert source_shape(source) == shape


def test_the_same_failure_of_two_visitors_is_one_error() -> None:
    first = request_fingerprint("post", "/api/carts/1/items?session=a", 500)
    assert first == request_fingerprint("POST", "https://shop.example/api/carts/2/items", 500)
    assert len(first) == 16


def test_another_method_path_or_status_is_another_error() -> None:
    fingerprints = {
        request_fingerprint("POST", "/api/cart", 500),
        request_fingerprint("GET", "/api/cart", 500),
        request_fingerprint("POST", "/api/coupon", 500),
        request_fingerprint("POST", "/api/cart", 0),
        script_fingerprint("Cannot read 'price'", "/a.js"),
        script_fingerprint("Cannot read 'name'", "/a.js"),
        script_fingerprint("Cannot read 'name'", "/b.js"),
    }
    assert len(fingerprints) == 7


def test_a_stack_is_bounded_and_keeps_no_query() -> None:
    stack = "TypeError: x\n at f (https://shop.example/a.js?token=secret:1:2)\n" + "at g\n" * 100
    lines = stack_shape(stack)
    assert lines is not None
    assert lines[:2] == ["TypeError: x", "at f (https://shop.example/a.js:1:2)"]
    assert len(lines) == 12
    assert stack_shape(None) is None


@given(st.one_of(st.text(), st.none(), st.integers()), st.one_of(st.text(), st.none(), st.lists(st.text())))
def test_no_input_breaks_a_fingerprint(first: Any, second: Any) -> None:
    assert len(request_fingerprint(first, second, first)) == 16
    assert len(script_fingerprint(first, second)) == 16
