"""Times the whole loop in a real browser: from what a visitor does to the action that is painted for it.

Each visit puts something into the cart, reads the returns page, and moves the pointer out of the window. What is timed
starts with that movement and ends when the frame with the action in it has been painted: the signal, the request, the
decision, its commit, the answer, the renderer and the browser's own work. The browser has the cores that the server
does not have: a visitor's does not run on the shop's server.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, TimeoutError, async_playwright

from adapters.postgres.engine import Database, DatabaseUrls
from bench.report import Figure
from bench.running import Cores, Server
from bench.sdk.shop import open_shop
from insights.access.keys import create_key
from tests.browser import ARGUMENTS, PERSON, chromium_path

DIST: Final = Path(__file__).parent.parent / "sdk-web" / "dist"
BAR_MS: Final = 50.0
SHOWN_WITHIN_MS: Final = 3_000
SIDE_BY_SIDE: Final = 10
CART: Final = """() => {
  whyleft.productViewed({product_id: 'kettle-7', name: 'Kettle 7', price_minor: 4999, currency: 'EUR'});
  whyleft.cartAdded({product_id: 'kettle-7', quantity: 1, price_minor: 4999, cart_value_minor: 4999, currency: 'EUR'});
  return whyleft.flush();
}"""
LEAVE: Final = """() => {
  const found = () => document.querySelector('whyleft-action');
  new MutationObserver((_, observer) => {
    if (!found()) return;
    observer.disconnect();
    // A frame's own task is followed by this one.
    const painted = new MessageChannel();
    painted.port1.onmessage = () => { window.took = performance.now() - began; };
    requestAnimationFrame(() => painted.port2.postMessage(0));
  }).observe(document, {childList: true, subtree: true});
  const began = performance.now();
  document.dispatchEvent(new MouseEvent('mouseout', {clientY: 1, relatedTarget: null, bubbles: true}));
}"""


async def figures(urls: DatabaseUrls, server: Server, cores: Cores, visits: int) -> list[Figure]:
    """What 19 of 20 visits that were shown something kept below. Whom the holdout leaves alone is not counted."""
    name = "event to rendered action in Chromium p95"
    if not (DIST / "whyleft.js").is_file():
        return [Figure(name, None, "the browser SDK is not built; run `make setup`", BAR_MS)]
    database = Database(urls)
    made = await create_key(database, "bench-browser", "write", ["*"])
    await database.close()
    head = f"<script src=/whyleft.js data-key={made.key} data-endpoint=http://127.0.0.1:{server.port}></script>"
    with open_shop([DIST], head) as shop:
        Cores.take(cores.all - cores.server)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
            # What is compiled and loaded once does not count.
            await _took(browser, shop.origin, 2)
            took: list[float] = []
            for start in range(0, visits, SIDE_BY_SIDE):
                took += await _took(browser, shop.origin, min(SIDE_BY_SIDE, visits - start))
            await browser.close()
    Cores.take(cores.client)
    took.sort()
    if not took:
        return [Figure(name, None, f"none of {visits} visits was shown anything", BAR_MS, False)]
    p95, p50 = took[math.ceil(len(took) * 0.95) - 1], took[len(took) // 2]
    return [
        Figure(name, round(p95, 1), "ms", BAR_MS, p95 <= BAR_MS, len(took)),
        Figure("event to rendered action in Chromium p50", round(p50, 1), "ms", n=len(took)),
    ]


async def _took(browser: Browser, origin: str, visits: int) -> list[float]:
    """Of so many visits, the milliseconds from the movement to the action of those that were shown one.

    The visits go on side by side up to the movement, and are then left one after the other: nothing else moves.
    """
    pages = await asyncio.gather(*(_about_to_leave(browser, origin) for _ in range(visits)))
    each = [await _leave(page) for page in pages]
    return [one for one in each if one is not None]


async def _about_to_leave(browser: Browser, origin: str) -> Page:
    """The page of a visit that has something in its cart and reads the returns page."""
    page = await (await browser.new_context(user_agent=PERSON)).new_page()
    await page.goto(f"{origin}/product/kettle-7")
    await page.wait_for_function("() => window.whyleft && window.whyleft.session")
    await page.evaluate(CART)
    await page.goto(f"{origin}/returns")
    await page.wait_for_function("() => window.whyleft && window.whyleft.session")
    await asyncio.sleep(0.5)  # the page's own first batch is on its way
    return page


async def _leave(page: Page) -> float | None:
    """Milliseconds from the movement to the action; None if nothing was shown. Closes the page."""
    await page.evaluate(LEAVE)
    with suppress(TimeoutError):
        await page.wait_for_function("() => window.took", timeout=SHOWN_WITHIN_MS)
    took: float | None = await page.evaluate("() => window.took ?? null")
    await page.context.close()
    return took
