"""The demo shop's basket and checkout: prices from the catalogue, one order a click, advice where a field is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.demo.shopping import SHIPPING, answer, put, shop_at, visitor


async def test_prices_come_from_the_catalogue_not_from_the_browser(client: httpx.AsyncClient) -> None:
    said = {"product_id": "moka-pot", "add": 2, "price_minor": 1, "currency": "XXX"}
    basket = (await client.post("/api/cart", json=said)).json()
    assert basket["items"][0]["price_minor"] == 4400
    assert (basket["subtotal_minor"], basket["total_minor"], basket["currency"]) == (8800, 8800, "EUR")


async def test_a_basket_belongs_to_one_browser() -> None:
    shop = shop_at()
    async with visitor(shop) as one, visitor(shop) as other:
        answer = await put(one, "moka-pot")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "samesite=lax" in answer.headers["set-cookie"].lower()
        await put(one, "morning-mug")
        assert (await one.get("/api/cart")).json()["count"] == 2
        assert (await other.get("/api/cart")).json()["count"] == 0
        other.cookies.set("shop_session", "guessed")
        assert (await other.get("/api/cart")).json()["count"] == 0


async def test_setting_a_quantity_to_zero_takes_the_line_out(client: httpx.AsyncClient) -> None:
    await put(client, "moka-pot", 3)
    basket = (await client.post("/api/cart", json={"product_id": "moka-pot", "set": 0})).json()
    assert (basket["items"], basket["total_minor"]) == ([], 0)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"product_id": "shoe", "add": 1}, 404),
        ({"product_id": ["moka-pot"], "add": 1}, 404),
        ({"product_id": "moka-pot"}, 422),
        ({"product_id": "moka-pot", "add": 1, "set": 1}, 422),
        ({"product_id": "moka-pot", "add": "1"}, 422),
        ({"product_id": "moka-pot", "add": True}, 422),
        ({"product_id": "moka-pot", "add": 1.5}, 422),
        ({"product_id": "moka-pot", "add": -1}, 422),
        ({"product_id": "moka-pot", "set": 11}, 409),
        ({"product_id": "moka-pot", "set": 10**30}, 409),
        ({"product_id": "hand-grinder", "set": 4}, 409),
        ([], 400),
        ("moka-pot", 400),
    ],
)
async def test_an_odd_cart_request_is_answered_with_advice(
    client: httpx.AsyncClient, said: object, status: int
) -> None:
    answer = await client.post("/api/cart", json=said)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")


async def test_only_small_json_is_read(client: httpx.AsyncClient) -> None:
    form = await client.post("/api/cart", data={"product_id": "moka-pot", "add": "1"})
    plain = await client.post("/api/cart", content='{"product_id":"moka-pot","add":1}')
    nonsense = await client.post("/api/cart", content=b"\xff{", headers={"Content-Type": "application/json"})
    deep = await client.post("/api/cart", content="[" * 16000, headers={"Content-Type": "application/json"})
    huge = await client.post("/api/cart", json={"product_id": "x" * 20_000})
    assert [a.status_code for a in (form, plain, nonsense, deep, huge)] == [415, 415, 400, 400, 413]
    assert (await client.get("/api/shoes")).headers["content-type"] == "application/problem+json"
    assert (await client.delete("/api/cart")).status_code == 405


async def test_the_broken_cart_really_answers_500_and_changes_nothing(client: httpx.AsyncClient) -> None:
    await put(client, "moka-pot")
    said = {"product_id": "moka-pot", "add": 1}
    for _ in range(3):
        broken = await client.post("/api/cart", json=said, headers={"X-Demo-Break": "dead-button, cart-fails"})
        assert broken.status_code == 500
    assert (await client.get("/api/cart")).json()["count"] == 1
    assert (await put(client, "moka-pot")).status_code == 200


async def test_an_order_goes_through_four_steps_and_is_shown_once_placed(client: httpx.AsyncClient) -> None:
    await put(client, "harbour-espresso", 2)
    assert (await answer(client, "contact")).json()["next_step"] == "shipping"
    assert (await answer(client, "shipping")).json()["shipping_minor"] == 490
    assert (await answer(client, "payment")).json()["next_step"] == "review"
    before = (await client.get("/api/cart")).json()
    order_id = (await answer(client, "review")).json()["order_id"]
    assert order_id == before["order_id"]
    page = (await client.get("/thank-you", params={"order": order_id})).text
    assert 'data-value-minor="3870"' in page
    assert 'data-items="2"' in page
    assert "€38.70" in page
    after = (await client.get("/api/cart")).json()
    assert (after["count"], after["next_step"]) == (0, "contact")
    assert after["order_id"] != order_id


async def test_an_order_is_shown_to_nobody_else() -> None:
    shop = shop_at()
    async with visitor(shop) as buyer, visitor(shop) as other:
        await put(buyer, "moka-pot")
        order_id = (await answer(buyer, "contact", "shipping", "payment", "review")).json()["order_id"]
        await put(other, "moka-pot")
        assert (await other.get("/thank-you", params={"order": order_id})).status_code == 404


async def test_a_step_cannot_be_left_out(client: httpx.AsyncClient) -> None:
    assert (await answer(client, "contact")).status_code == 409, "nothing in the basket"
    await put(client, "moka-pot")
    early = await answer(client, "review")
    assert (early.status_code, early.json()["step"]) == (409, "contact")
    early = await answer(client, "contact", "payment")
    assert (early.status_code, early.json()["step"]) == (409, "shipping")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"step": "contact", "email": "ada"}, "email"),
        ({"step": "contact", "email": "a@b.c\r\nBcc: x@example.com"}, "email"),
        ({"step": "contact", "email": 7}, "email"),
        ({"step": "contact"}, "email"),
        ({**SHIPPING, "city": "  "}, "city"),
        ({**SHIPPING, "street": "x" * 121}, "street"),
        ({**SHIPPING, "country": "XX"}, "country"),
        ({**SHIPPING, "country": ["NL"]}, "country"),
        ({**SHIPPING, "method": "drone"}, "method"),
        ({"step": "payment", "method": "gold"}, "method"),
        ({"step": "dance"}, "step"),
    ],
)
async def test_a_wrong_answer_names_its_field(client: httpx.AsyncClient, wrong: dict[str, Any], field: str) -> None:
    await put(client, "moka-pot")
    if wrong["step"] != "contact":
        await answer(client, "contact")
    if wrong["step"] == "payment":
        await answer(client, "shipping")
    refused = await client.post("/api/checkout", json=wrong)
    assert (refused.status_code, refused.json()["field"]) == (422, field)


async def test_standard_delivery_is_free_from_sixty_euros_and_dear_when_broken(client: httpx.AsyncClient) -> None:
    await put(client, "gooseneck-kettle")
    fine = (await answer(client, "contact", "shipping")).json()
    assert (fine["shipping_minor"], fine["total_minor"]) == (0, 8900)
    broken = (await client.get("/api/cart", headers={"X-Demo-Break": "high-shipping"})).json()
    assert broken["delivery"] == {"standard": 2890, "express": 3390}
    dear = (await answer(client, "shipping", breaks="high-shipping")).json()
    assert (dear["shipping_minor"], dear["total_minor"]) == (2890, 11790)


async def test_a_slow_checkout_waits_on_the_server_and_then_works() -> None:
    async with visitor(shop_at(slow_seconds=0.3)) as client:
        await put(client, "moka-pot")
        slow = asyncio.create_task(answer(client, "contact", breaks="slow-checkout"))
        await asyncio.sleep(0.02)
        assert (await client.get("/api/cart")).json()["contact"] is None
        assert (await slow).json()["next_step"] == "shipping"


async def test_two_clicks_on_the_last_button_place_one_order(client: httpx.AsyncClient) -> None:
    await put(client, "moka-pot")
    await answer(client, "contact", "shipping", "payment")
    both = await asyncio.gather(answer(client, "review"), answer(client, "review"))
    assert sorted(a.status_code for a in both) == [200, 409]


async def test_what_is_sold_is_gone() -> None:
    shop = shop_at()
    async with visitor(shop) as first, visitor(shop) as second:
        await put(first, "hand-grinder", 2)
        await put(second, "hand-grinder", 2)
        assert "Only 3 left" in (await first.get("/product/hand-grinder")).text
        steps = ("contact", "shipping", "payment", "review")
        assert (await answer(first, *steps)).status_code == 200
        late = await answer(second, *steps)
        assert (late.status_code, late.json()["detail"]) == (409, "Only 1 left of Hand grinder.")
        await second.post("/api/cart", json={"product_id": "hand-grinder", "set": 1})
        assert (await answer(second, "review")).status_code == 200
        assert "Sold out" in (await first.get("/product/hand-grinder")).text
