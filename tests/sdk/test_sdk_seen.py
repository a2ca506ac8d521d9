"""A page counts once somebody sees it, not while the browser prepares it; nobody returns to what they never left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser import ARGUMENTS, PERSON, chromium_path
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


RULES = '{"prerender": [{"urls": ["/next", "/never"], "eagerness": "immediate"}]}'
"""Chromium prepares nothing while it is driven: the page itself follows its link, a second after both are ready."""
FOLLOW = """const wait = setInterval(() => {
    if (!localStorage["/next"] || !localStorage["/never"]) return;
    clearInterval(wait);
    setTimeout(() => link.click(), 1000);
}, 50);"""
PREPARE = "onload = () => { localStorage[location.pathname] = document.prerendering; whyleft.searched(); }"


async def test_a_prerendered_page_that_nobody_came_to_see_is_none(site: Site, tmp_path: Path) -> None:
    site.pages["/"] = (
        f"<!doctype html><title>Shop</title>{TAG}<a id=link href=/next>next</a>"
        f"<script type=speculationrules>{RULES}</script><script>{FOLLOW}</script>"
    )
    site.pages["/next"] = site.pages["/never"] = f"<!doctype html><title>Shop</title>{TAG}<script>{PREPARE}</script>"
    command = ("--headless=new", *ARGUMENTS, f"--user-data-dir={tmp_path}", f"--user-agent={PERSON}", site.origin)
    quiet = asyncio.subprocess.DEVNULL
    browser = await asyncio.create_subprocess_exec(chromium_path(), *command, stdout=quiet, stderr=quiet)
    try:
        await site.heard(lambda: site.events("clicked") and site.events("searched"), within_s=40)
    finally:
        browser.terminate()
        await browser.wait()
    assert {event["props"]["path"] for event in site.events("page_viewed")} == {"/", "/next"}
