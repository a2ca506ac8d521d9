"""Discount codes in the demo shop: redeemed once at the server, refused with a reason, never used up for nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.demo.shopping import API, Till, put, shop_at, visitor


async def test_a_good_code_is_redeemed_once_and_lowers_the_total(till: Till, till_url: str) -> None:
    shop = shop_at(till_url)
    async with visitor(shop) as client, visitor(shop) as other:
        order_id = (await put(client, "moka-pot")).json()["order_id"]
        basket = (await client.post("/api/coupon", json={"code": " BACK-10 "})).json()
        assert (basket["discount_minor"], basket["total_minor"], basket["percent"]) == (440, 3960, 10)
        again = await client.post("/api/coupon", json={"code": "BACK-10"})
        assert again.json()["total_minor"] == 3960, "the discount counts once"
        assert till.asked == [("BACK-10", {"order_hint": order_id})]
        assert (await client.post("/api/coupon", json={"code": "OTHER"})).status_code == 409
        await put(other, "moka-pot")
        assert (await other.post("/api/coupon", json={"code": "BACK-10"})).status_code == 409


async def test_two_tries_at_once_redeem_a_code_once(till: Till, till_url: str) -> None:
    async with visitor(shop_at(till_url)) as client:
        await put(client, "moka-pot")
        tries = [client.post("/api/coupon", json={"code": "BACK-10"}) for _ in range(5)]
        answers = await asyncio.gather(*tries)
        assert {a.status_code for a in answers} == {200}
        assert len(till.asked) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("NOPE", 404), ("LATE-10", 410), ("BROKEN", 503), ("../../keys", 404), ("", 422), (7, 422)]
)
async def test_a_code_that_is_not_good_is_refused_with_its_reason(till_url: str, code: object, status: int) -> None:
    async with visitor(shop_at(till_url)) as client:
        await put(client, "moka-pot")
        refused = await client.post("/api/coupon", json={"code": code})
        assert refused.status_code == status
        assert (await client.get("/api/cart")).json()["discount_minor"] == 0


async def test_codes_are_refused_when_the_server_cannot_be_asked_or_there_is_no_key(till_url: str) -> None:
    for shop, status in [(shop_at(API), 503), (shop_at(till_url, "wrong"), 503), (shop_at(till_url, None), 404)]:
        async with visitor(shop) as client:
            await put(client, "moka-pot")
            assert (await client.post("/api/coupon", json={"code": "BACK-10"})).status_code == status


async def test_a_code_refused_on_purpose_or_for_an_empty_basket_is_not_used_up(till: Till, till_url: str) -> None:
    async with visitor(shop_at(till_url)) as client:
        assert (await client.post("/api/coupon", json={"code": "BACK-10"})).status_code == 409
        await put(client, "moka-pot")
        refused = await client.post("/api/coupon", json={"code": "BACK-10"}, headers={"X-Demo-Break": "coupon-refused"})
        assert refused.status_code == 409
        assert till.asked == []
        assert (await client.post("/api/coupon", json={"code": "BACK-10"})).status_code == 200
