"""The Shopify pixel: in its sandbox, with Shopify's events, it writes batches that the server reads."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from insights.events.reading import read_batch
from insights.events.wire import Limits
from tests.sdk.site import KEY, TAG, Site

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]

SANDBOX = """window.heard = {}; window.analytics = {subscribe: (name, fn) => { heard[name] = fn; }};
window.init = {customerPrivacy: {analyticsProcessingAllowed: true}};
window.customerPrivacy = {subscribe: (name, fn) => { heard[name] = fn; }};
window.browser = {localStorage: {getItem: async name => localStorage.getItem(name),
    setItem: async (name, value) => localStorage.setItem(name, value)}};"""
VARIANT = {
    "id": 7,
    "title": "Blue",
    "price": {"amount": 12.5, "currencyCode": "EUR"},
    "product": {"id": 3, "title": "Mug"},
}
CHECKOUT = {
    "totalPrice": {"amount": 25.0, "currencyCode": "EUR"},
    "lineItems": [{"variant": VARIANT, "quantity": 2}, {}],
    "order": {"id": "1001"},
    "email": "ann@example.com",
}
EVENTS: dict[str, dict[str, Any]] = {
    "product_viewed": {"productVariant": VARIANT},
    "product_added_to_cart": {"cartLine": {"merchandise": VARIANT, "quantity": 2}},
    "product_removed_from_cart": {"cartLine": {"merchandise": VARIANT, "quantity": 1}},
    "search_submitted": {"searchResult": {"query": "mug", "productVariants": [VARIANT]}},
    "checkout_started": {"checkout": CHECKOUT},
    "checkout_contact_info_submitted": {"checkout": CHECKOUT},
    "checkout_shipping_info_submitted": {"checkout": CHECKOUT},
    "payment_info_submitted": {"checkout": CHECKOUT},
    "checkout_completed": {"checkout": CHECKOUT},
}


@pytest.fixture
async def pixel(site: Site, page: Page, repository: Path) -> Page:
    """The shop's page with the SDK, and the pixel beside it."""
    source = (repository / "examples/shopify/pixel.js").read_text()
    source = source.replace("'wl_w_…'", repr(KEY)).replace("'https://your-server'", "location.origin")
    site.files["/pixel.js"] = f"{{{source}}}".encode()
    site.pages["/"] = f"<!doctype html><title>Checkout</title>{TAG}"
    await page.add_init_script(SANDBOX)
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate("whyleft.flush()")
    await page.add_script_tag(url="/pixel.js")
    return page


async def say(page: Page, name: str, data: dict[str, Any]) -> None:
    context = {"document": {"location": {"href": page.url}, "referrer": "", "title": "Checkout"}}
    event = {"timestamp": "2026-11-21T10:00:00.000Z", "data": data, "context": context}
    await page.evaluate("([name, event]) => heard[name](event)", [name, event])


async def test_a_checkout_belongs_to_the_visit_that_led_to_it(site: Site, pixel: Page) -> None:
    for name, data in EVENTS.items():
        await say(pixel, name, data)
    purchase = await site.one("purchased")
    assert purchase["props"] == {"order_id": "1001", "value_minor": 2500, "currency": "EUR", "items": 2}
    assert (await site.one("identified"))["props"] == {"email": "ann@example.com"}
    assert [event["props"]["step"] for event in site.events("checkout_step")] == ["shipping", "payment", "review"]
    assert site.events("cart_added")[0]["props"]["price_minor"] == 1250
    mug = {"product_id": "3", "name": "Mug", "price_minor": 1250, "currency": "EUR", "quantity": 2}
    started = {"cart_value_minor": 2500, "currency": "EUR", "items": 2, "products": [mug]}
    assert site.events("checkout_started")[0]["props"] == started
    assert len({(batch["visitor"], batch["session"]) for batch in site.batches}) == 1
    now = int(time.time() * 1000)
    for batch in site.batches:
        reading = read_batch(json.dumps(batch).encode(), Limits(), now)
        assert not reading.rejected


async def test_who_leaves_an_address_at_the_first_step_and_is_gone_at_the_second_is_known(
    site: Site, pixel: Page
) -> None:
    nobody = {**CHECKOUT, "order": None, "email": None}
    await say(pixel, "checkout_started", {"checkout": nobody})
    await say(pixel, "checkout_contact_info_submitted", {"checkout": {**nobody, "email": "ann@example.com"}})
    await say(pixel, "checkout_address_info_submitted", {"checkout": {**CHECKOUT, "phone": "+49171123456"}})
    await site.heard(lambda: len(site.events("checkout_step")) == 2)
    names = [event["props"] for event in site.events("identified")]
    assert names == [{"email": "ann@example.com"}, {"phone": "+49171123456"}]


@pytest.mark.parametrize(
    ("code", "amount", "minor"),
    [
        ("HUF", 4990, 499000),
        ("IDR", 150000, 15000000),
        ("PKR", 1310.5, 131050),
        ("JPY", 1500, 1500),
        ("KWD", 1.5, 1500),
    ],
)
async def test_what_the_pixel_tells_is_right_in_any_currency(
    site: Site, pixel: Page, code: str, amount: float, minor: int
) -> None:
    paid = {**CHECKOUT, "totalPrice": {"amount": amount, "currencyCode": code}}
    await say(pixel, "checkout_completed", {"checkout": paid})
    purchase = (await site.one("purchased"))["props"]
    assert (purchase["value_minor"], purchase["currency"]) == (minor, code)


async def test_the_pixel_is_quiet_without_consent(site: Site, pixel: Page) -> None:
    await pixel.evaluate("heard.visitorConsentCollected({customerPrivacy: {analyticsProcessingAllowed: false}})")
    before = len(site.attempts)
    await say(pixel, "checkout_started", EVENTS["checkout_started"])
    await pixel.evaluate("new Promise(done => setTimeout(done, 200))")
    assert len(site.attempts) == before
