"""A page counts once somebody sees it, and nobody returns to what they never left."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.sdk.site import Site
from tests.sdk.test_sdk_delivery import HIDE

pytestmark = pytest.mark.browser

SEE = HIDE.replace("value: true", "value: false").replace("value: 'hidden'", "value: 'visible'")


async def test_a_page_opened_behind_another_is_not_returned_to_when_it_is_seen(site: Site, page: Page) -> None:
    await page.add_init_script("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate(SEE + "whyleft.searched({query: 'mug'}); whyleft.flush()")
    await site.one("searched")
    assert not site.events("tab_returned")
    await page.evaluate(HIDE + SEE + "whyleft.flush()")
    assert 0 <= (await site.one("tab_returned"))["props"]["away_ms"] < 60_000
