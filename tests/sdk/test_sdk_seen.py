"""A page counts once somebody sees it, not while the browser prepares it; nobody returns to what they never left."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page

from tests.sdk.site import TAG, Site
from tests.sdk.test_sdk_delivery import HIDE

pytestmark = pytest.mark.browser

SEE = HIDE.replace("value: true", "value: false").replace("value: 'hidden'", "value: 'visible'")
PREPARED = """window.prepared = true;
Object.defineProperty(Document.prototype, 'prerendering', {get: () => prepared, configurable: true});"""
SEEN = "prepared = false; document.dispatchEvent(new Event('prerenderingchange'));"


async def test_a_page_opened_behind_another_is_not_returned_to_when_it_is_seen(site: Site, page: Page) -> None:
    await page.add_init_script("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate(SEE + "whyleft.searched({query: 'mug'}); whyleft.flush()")
    await site.one("searched")
    assert not site.events("tab_returned")
    await page.evaluate(HIDE + SEE + "whyleft.flush()")
    assert 0 <= (await site.one("tab_returned"))["props"]["away_ms"] < 60_000


async def test_a_page_that_is_only_prepared_counts_once_it_is_seen(site: Site, page: Page) -> None:
    site.pages["/"] = f"<!doctype html><title>Shop</title>{TAG}<script>whyleft.cartAdded({{product_id: 'm1'}})</script>"
    await page.add_init_script(PREPARED)
    await page.goto(site.origin)
    await page.evaluate("whyleft.searched({query: 'mug'}); whyleft.flush(); whyleft.visitor()")
    await asyncio.sleep(0.3)
    assert not site.attempts
    before = await page.evaluate("Date.now()")
    await page.evaluate(SEEN)
    await site.one("searched")
    told = site.events()
    assert [event["type"] for event in told] == ["page_viewed", "cart_added", "searched"]
    assert all(event["t"] >= before for event in told)


async def test_a_no_to_a_prepared_page_is_a_no(site: Site, page: Page) -> None:
    await page.add_init_script(PREPARED)
    await page.goto(site.origin)
    await page.evaluate("whyleft.consent({analytics: false});" + SEEN)
    await asyncio.sleep(0.3)
    assert not site.attempts and await page.evaluate("whyleft.consent()") == "denied"
