from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from insights.demo.shop import create_shop
from insights.shipped import shipped
from tests.demo.serving import serving

SECRET = "secret"
API = "http://127.0.0.1:9"  # discard: nothing of Whyleft answers there


class Till:
    """Answers like the Whyleft server's redeem endpoint: each code once."""

    def __init__(self) -> None:
        self.percents: dict[str, object] = {"BACK-10": 10, "BROKEN": "ten"}
        self.over = {"LATE-10"}
        self.used: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def redeem(self, request: Request) -> Response:
        code = request.path_params["code"]
        self.asked.append((code, await request.json()))
        if request.headers["authorization"] != f"Bearer {SECRET}":
            return JSONResponse({}, status_code=401)
        if code in self.over or code in self.used or code not in self.percents:
            status = 410 if code in self.over else 409 if code in self.used else 404
            return JSONResponse({"title": "no"}, status_code=status)
        self.used.add(code)
        await asyncio.sleep(0.05)
        return JSONResponse({"percent": self.percents[code]})


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
async def till_url(till: Till) -> AsyncIterator[str]:
    app = Starlette(routes=[Route("/v1/codes/{code}/redeem", till.redeem, methods=["POST"])])
    async with serving(app) as url:
        yield url


def shop_at(
    api_url: str = API, secret_key: str | None = SECRET, slow_seconds: float = 0.0, **urls: str | None
) -> Starlette:
    return create_shop(
        api_url=api_url,
        write_key='wk_"test',
        secret_key=secret_key,
        inbox_url=urls.get("inbox_url"),
        viewer_url=urls.get("viewer_url"),
        slow_seconds=slow_seconds,
    )


def visitor(shop: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=shop), base_url="http://shop.test")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with visitor(shop_at()) as client:
        yield client


async def put(client: httpx.AsyncClient, product_id: str, number: int = 1) -> httpx.Response:
    return await client.post("/api/cart", json={"product_id": product_id, "add": number})


SHIPPING = {
    "step": "shipping",
    "name": "Ada",
    "street": "Kade 1",
    "postcode": "1011 AB",
    "city": "Amsterdam",
    "country": "NL",
    "method": "standard",
}


async def answer(client: httpx.AsyncClient, *steps: str, breaks: str = "") -> httpx.Response:
    answers: dict[str, dict[str, Any]] = {
        "contact": {"step": "contact", "email": "ada@example.com", "mail_me": True},
        "shipping": SHIPPING,
        "payment": {"step": "payment", "method": "demo-card"},
        "review": {"step": "review"},
    }
    for step in steps:
        last = await client.post("/api/checkout", json=answers[step], headers={"X-Demo-Break": breaks})
    return last


@pytest.mark.parametrize(
    "path", ["/", "/?category=beans", "/?q=kettle", "/product/moka-pot", "/cart", "/checkout", "/returns", "/break"]
)
async def test_every_page_loads_the_sdk_by_one_tag_and_a_strict_policy(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    tag = f'<script async src="{API}/sdk/whyleft.js" data-key="wk_&#34;test"></script>'
    assert page.text.count(tag) == 1
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert f"script-src 'self' {API};" in policy
    assert f"connect-src 'self' {API};" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", page.text), "the policy would block this"


async def test_every_product_has_a_page_a_picture_and_reviews(client: httpx.AsyncClient) -> None:
    home = (await client.get("/")).text
    products = sorted(set(re.findall(r'href="/product/([a-z-]+)"', home)))
    assert len(products) == 12
    for product in products:
        page = await client.get(f"/product/{product}")
        assert page.status_code == 200
        assert 'data-section="reviews"' in page.text
        assert "/returns" in page.text
        picture = await client.get(f"/pictures/{product}.svg")
        assert picture.headers["content-type"] == "image/svg+xml"


async def test_whatever_a_page_asks_for_comes_from_the_shop_and_exists(client: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for path in ("/", "/product/moka-pot", "/cart", "/checkout", "/break", "/nothing-here"):
        page = (await client.get(path)).text.replace(f"{API}/sdk/whyleft.js", "")
        seen |= set(re.findall(r'(?:src|href)="([^"#?]+)"', page))
    assert not [address for address in seen if "//" in address]
    for address in seen:
        assert (await client.get(address)).status_code == 200, address
    for script in (shipped("shop") / "assets" / "js").glob("*.js"):
        for imported in re.findall(r'from "\./(.+?)"', script.read_text()):
            assert (await client.get(f"/assets/js/{imported}")).status_code == 200, f"{script.name}: {imported}"


async def test_the_catalogue_filters_and_searches(client: httpx.AsyncClient) -> None:
    assert (await client.get("/?category=cups")).text.count("data-add-to-cart") == 3
    found = (await client.get("/?q=GREEN%20kettle")).text
    assert 'data-results="0"' in found
    found = (await client.get("/?q=gooseneck&category=tools")).text
    assert 'data-results="1"' in found
    assert (await client.get("/?category=shoes")).status_code == 404
    assert (await client.get("/product/shoe")).status_code == 404


async def test_what_was_searched_for_is_shown_as_text(client: httpx.AsyncClient) -> None:
    page = (await client.get("/", params={"q": '"><script>alert(1)</script>'})).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_the_footer_leads_to_the_viewer_and_the_inbox_where_there_are_any() -> None:
    async with visitor(shop_at()) as client:
        page = (await client.get("/")).text
    assert "Open the viewer" not in page
    assert "Break it on purpose" in page
    async with visitor(shop_at(inbox_url="http://127.0.0.1:1/", viewer_url="http://127.0.0.1:2/app")) as client:
        page = (await client.get("/")).text
    assert '<a href="http://127.0.0.1:2/app">Open the viewer</a>' in page
    assert '<a href="http://127.0.0.1:1/">Open the inbox</a>' in page


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


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://127.0.0.1", "", "http://"])
def test_a_server_address_that_is_none_is_named(address: str) -> None:
    with pytest.raises(ValueError, match="write it like http"):
        shop_at(address)


def test_the_secret_key_never_reaches_a_page() -> None:
    for page in (shipped("shop") / "pages").glob("*.html"):
        assert "secret" not in page.read_text()


def test_the_switches_of_the_page_are_the_ones_the_server_knows() -> None:
    folder = shipped("shop")
    known = re.search(r"const KNOWN = (\[.*?\]);", (folder / "assets/js/broken.js").read_text())
    assert known is not None
    offered = re.findall(r'switch\("([a-z-]+)"', (folder / "pages/break.html").read_text())
    assert offered == json.loads(known[1])
