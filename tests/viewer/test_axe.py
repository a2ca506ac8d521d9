"""Every page of the viewer, light, dark and on a phone, by the rules of axe; by keyboard alone; without JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.demo.serving import serving
from tests.viewer.conftest import Whole
from tests.viewer.well_built import is_well_built

pytestmark = pytest.mark.browser

AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(({impact}) => impact === 'serious' || impact === 'critical')
  .map(({id, nodes}) => `${id}: ${nodes.map(one => `${one.target} ${one.failureSummary}`).join(' | ')}`)"""

RING = """() => {
  const e = document.activeElement;
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  const ringed = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
  const svg = e.closest('svg');
  return { what: e.outerHTML.slice(0, 160), ringed: ringed || Boolean(svg) || e.tagName === 'IFRAME',
    wide: box.width > 0 && box.height > 0,
    here: box.bottom > 0 && box.top < innerHeight, body: e === document.body };
}"""
"""Whether whoever types sees where they are. In a frame its own page draws the ring."""


async def serious(page: Page, repository: Path) -> list[Any]:
    """What axe calls serious or worse."""
    await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    await page.add_script_tag(path=repository / "sdk-web/node_modules/axe-core/axe.min.js")
    return list(await page.evaluate(AXE))


async def entered(context: BrowserContext, base: str, key: str) -> Page:
    """A page of somebody who logged in."""
    page = await context.new_page()
    await page.goto(f"{base}/app/login")
    await page.fill("#key", key)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    return page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
async def test_nothing_serious_on_any_page(
    whole: Whole, browser: Browser, repository: Path, scheme: str, width: int
) -> None:
    async with serving(whole.app) as base:
        context = await browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            bypass_csp=True,
        )
        page = await entered(context, base, whole.key)
        for path in whole.pages():
            await page.goto(f"{base}/app{path}")
            if path.endswith("/build") or path.startswith("/actions/"):  # drawn by a script
                await page.wait_for_load_state("networkidle")
            assert await serious(page, repository) == [], path
            if not path.endswith("/frame"):
                await is_well_built(page)
        await context.close()


async def test_whoever_types_sees_where_they_are_on_every_page(whole: Whole, browser: Browser) -> None:
    """The first forty stops of every page have a ring around them and stand in the window."""
    async with serving(whole.app) as base:
        context = await browser.new_context(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
        page = await entered(context, base, whole.key)
        for path in whole.pages():
            if path.endswith("/frame"):
                continue
            await page.goto(f"{base}/app{path}")
            await page.evaluate("document.activeElement.blur()")
            for _ in range(40):
                await page.keyboard.press("Tab")
                ring = await page.evaluate(RING)
                if ring["body"]:
                    break
                assert ring["ringed"] and ring["wide"] and ring["here"], (path, ring)
        await context.close()


async def test_every_page_reads_without_javascript(whole: Whole, browser: Browser) -> None:
    """Its headline and some words stand there, and it says that a script is missing only where something needs one."""
    async with serving(whole.app) as base:
        context = await browser.new_context(java_script_enabled=False)
        page = await entered(context, base, whole.key)
        for path in whole.pages():
            if path.endswith("/frame"):
                continue
            await page.goto(f"{base}/app{path}")
            await expect(page.get_by_role("heading", level=1)).not_to_be_empty()
            words = " ".join((await page.locator("main").inner_text()).split())
            assert len(words) > 60, (path, words)
            needs = "JavaScript" in words
            assert needs == (path.endswith("/build") or path.startswith("/actions/")), path
        await context.close()


async def test_the_main_tasks_are_done_by_keyboard_alone(whole: Whole, browser: Browser) -> None:
    """From Today to a visit behind a reason, to saying that its insight is wrong; a filter; a flow begun."""
    async with serving(whole.app) as base:
        context = await browser.new_context(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
        page = await entered(context, base, whole.key)
        await _go(page, "Sessions")
        await expect(page.get_by_role("link", name="Sessions", exact=True)).to_have_attribute("aria-current", "page")
        await _reach(page, "#f-text")
        await page.keyboard.type("technical")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**text=technical*")
        await page.goto(f"{base}/app/sessions/{whole.visits['broken'].id}")
        await _reach(page, "form[action$='/feedback'] button")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("They left €69.00 in the cart")
        await _go(page, "Flows")
        await _reach(page, "#flow-name")
        await page.keyboard.type("typed")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/build")
        await expect(page.get_by_role("button", name="Save draft")).to_be_visible()
        await _reach(page, "[data-builder-tree] [data-add=wait]")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Step wait_1")).to_be_visible()
        await context.close()


async def _go(page: Page, place: str) -> None:
    """To a place of the navigation, by keys."""
    await _reach(page, f"nav.places a:text-is('{place}')")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def _reach(page: Page, selector: str) -> None:
    """Tabs until the focus is there."""
    wanted = page.locator(selector).first
    await expect(wanted).to_be_visible()
    await page.evaluate("document.activeElement.blur()")
    for _ in range(150):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"{selector} is not reached by the tab key on {page.url}")
