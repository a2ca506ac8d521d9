"""The pages in a real browser: they fit every width, work by keyboard and without JavaScript, and read well aloud."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, expect

from adapters.postgres.engine import Database
from insights.models import Project
from tests.demo.serving import serving
from tests.viewer.conftest import Shop
from tests.viewer.seed import Keys
from tests.viewer.well_built import is_well_built

pytestmark = pytest.mark.browser


@pytest.fixture
async def base(app: FastAPI) -> AsyncIterator[str]:
    async with serving(app) as address:
        yield f"{address}/app"


async def enter(page: Page, base: str, key: str) -> None:
    await page.goto(f"{base}/login")
    await expect(page.get_by_label("Secret key of the project")).to_be_focused()
    await page.keyboard.type(key)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert page.url.endswith("/app/")


def pages(shop: Shop) -> list[str]:
    sessions = [f"/sessions/{visit.id}" for visit in shop.visits.values()]
    return [
        "/sessions",
        "/sessions?text=nobody",
        "/sessions?reason=x&kind=abandoned",
        f"/sessions/{uuid4()}",
        *sessions,
        f"/visitors/{shop.visits['broken'].visitor_id}",
    ]


@pytest.mark.parametrize("width", [320, 390, 768, 930, 1280, 2200])
async def test_no_page_is_wider_than_the_window(shop: Shop, base: str, browser: Browser, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    await enter(page, base, shop.key)
    for path in ("/login", *pages(shop)):
        await page.goto(base + path)
        await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        wide = await page.evaluate(
            """() => {
              const w = document.documentElement.clientWidth, whole = document.documentElement.scrollWidth;
              if (whole <= w) return [];
              const over = [...document.querySelectorAll('main *')].filter(e =>
                e.getBoundingClientRect().right > w && !e.closest('.curve-scroll, .scroll, .scenes'));
              return [`${whole} of ${w}`, ...over.map(e => e.outerHTML.slice(0, 200))];
            }"""
        )
        assert wide == [], path
    assert [text for text in said if "404" not in text] == []
    await context.close()


async def test_everything_works_without_javascript(shop: Shop, base: str, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{base}/sessions?reason=technical_error")
    await page.get_by_label("Secret key of the project").fill(shop.key)
    await page.get_by_role("button", name="Log in by key").click()
    await page.wait_for_url("**/sessions?reason=technical_error")
    rows = page.get_by_role("table", name="Sessions, newest first").get_by_role("row")
    await expect(rows).to_have_count(2)
    await rows.nth(1).get_by_role("link").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("They left €69.00 in the cart")
    await page.get_by_role("link", name="Sessions").first.click()
    await page.get_by_label("Search").fill("grace@example.org")
    await page.get_by_role("button", name="Apply").click()
    await expect(rows).to_have_count(2)
    await page.get_by_role("link", name="remove this filter").click()
    await expect(rows).to_have_count(51)
    await page.get_by_text("More filters").click()
    await page.get_by_label("State").select_option("open")
    await page.get_by_role("button", name="Apply").click()
    await expect(rows).to_have_count(2)
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    await context.close()


async def test_a_citation_jumps_to_its_event_and_lights_it_up_and_back(shop: Shop, base: str, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 700}, reduced_motion="reduce")
    page = await context.new_page()
    await enter(page, base, shop.key)
    visit = shop.visits["broken"]
    await page.goto(f"{base}/sessions/{visit.id}")
    event = page.locator(f"#e-{visit.event_ids[20].hex}")
    plain = page.locator(f"#e-{visit.event_ids[25].hex}")
    background = "e => getComputedStyle(e).backgroundColor"
    assert await event.evaluate(background) != await plain.evaluate(background)
    assert await event.evaluate("e => getComputedStyle(e).outlineStyle") == "none"
    await page.locator("#c-2 a").click()
    await expect(event).to_be_in_viewport()
    assert await event.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    # Not under the bar and the chapter's heading, which stay at the top.
    assert await event.evaluate(
        "e => { const r = e.getBoundingClientRect(); return e.contains(document.elementFromPoint(r.x + 40, r.y + 4)) }"
    )
    await event.get_by_role("link", name="Evidence 2").click()
    await expect(page.locator("#c-2")).to_be_in_viewport()
    mark = page.locator("svg.curve a.cited").first
    await expect(mark).to_have_attribute("aria-label", re.compile("Request failed at .* cited \\[1\\]"))
    await mark.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(f"#e-{visit.event_ids[18].hex}")).to_be_in_viewport()
    await context.close()


async def test_the_pages_read_well_aloud_and_by_keyboard(
    shop: Shop, base: str, browser: Browser, database: Database, keys: Keys
) -> None:
    empty = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=empty, name=f"empty-{empty}", allowed_origins=[]))
    page = await browser.new_page(viewport={"width": 390, "height": 800})
    await enter(page, base, await keys.make(database, empty))
    await is_well_built(page)
    await enter(page, base, shop.key)
    for path in ("/login", *pages(shop)):
        await page.goto(base + path)
        await is_well_built(page)
    await page.goto(f"{base}/sessions")
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to the content")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    # A table that is laid out as cards is still a table to who cannot see it.
    table = page.get_by_role("table", name="Sessions, newest first")
    await expect(table.get_by_role("columnheader")).to_have_count(6)
    await expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_count(6)
    await expect(page.get_by_role("link", name="Sessions", exact=True)).to_have_attribute("aria-current", "page")
    await page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(shop: Shop, base: str, browser: Browser, scheme: str) -> None:
    """WCAG 2.2 AA contrast of every piece of text against the ground it stands on."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    await enter(page, base, shop.key)
    for path in ("/login", *pages(shop)):
        await page.goto(base + path)
        await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        weak = await page.evaluate(
            """() => {
              const part = c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4 };
              const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
              const read = c => (c.match(/[\\d.]+/g) || []).map(Number);
              const ground = e => {
                for (; e; e = e.parentElement) {
                  const c = read(getComputedStyle(e).backgroundColor);
                  if (c.length < 4 || c[3] > 0) return c;
                }
                return [255, 255, 255];
              };
              const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), weak = new Set();
              for (let n; (n = walk.nextNode());) {
                const e = n.parentElement, style = getComputedStyle(e);
                if (!n.data.trim() || !e.getClientRects().length) continue;
                if (e.closest('option, .unseen, .skip, title')) continue;
                const svg = e.closest('svg');
                const a = light(read(svg ? style.fill : style.color)), b = light(ground(e));
                const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
                if (ratio < 4.5) weak.add(`${ratio.toFixed(2)} ${e.className.baseVal ?? e.className} ${n.data.trim()}`);
              }
              return [...weak];
            }"""
        )
        assert weak == [], path
    await page.close()
