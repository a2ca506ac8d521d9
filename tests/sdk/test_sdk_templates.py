"""Each template of the renderer: usable by everyone, polite to the page, and honest about what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.sdk.site import TAG, Site
from tests.sdk.templates import ACTIONS

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]

PAGE = (
    f"<!doctype html><html lang=en><title>Shop</title>{TAG}"
    "<main><h1>Shop</h1><label>Search <input id=search></label></main>"
)
PICTURE = "<svg xmlns='http://www.w3.org/2000/svg' width='132' height='132'><circle r='60' fill='teal'/></svg>"
AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(({impact}) => impact === 'serious' || impact === 'critical')
    .map(({id, nodes}) => id + ': ' + nodes.map(node => node.html).join(' '))"""


SHOW = """async action => {
    const {show} = await import('/sdk/whyleft-render.js');
    for (const before of document.querySelectorAll('whyleft-action')) before.remove();
    show(action, () => {});
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
}"""
"""Draws an action as the SDK would, in the place of the one before."""


async def shown(site: Site, page: Page, template: str, html: str = PAGE) -> dict[str, Any]:
    site.pages["/"] = html
    site.action = ACTIONS[template]
    await page.goto(site.origin)
    await page.wait_for_selector("whyleft-action .card")
    return ACTIONS[template]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_template_has_a_serious_fault(site: Site, page: Page, repository: Path, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.route("**/pictures/*", lambda route: route.fulfill(body=PICTURE, content_type="image/svg+xml"))
    site.pages["/"] = PAGE.replace("<html", "<html style='color-scheme:light dark'")
    await page.goto(site.origin)
    await page.add_script_tag(path=repository / "sdk-web/node_modules/axe-core/axe.min.js")
    for template, action in ACTIONS.items():
        await page.evaluate(SHOW, action)
        assert await page.evaluate(AXE) == [], template


@pytest.mark.parametrize("template", ["banner", "card", "form", "carousel"])
async def test_what_is_no_dialog_takes_no_focus_moves_nothing_and_closes_on_escape(
    site: Site, page: Page, template: str
) -> None:
    await page.add_init_script(
        "window.shift = 0;"
        "new PerformanceObserver(list => { for (const entry of list.getEntries()) shift += entry.value; })"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    await shown(site, page, template, PAGE.replace("id=search", "id=search autofocus"))
    assert await page.evaluate("document.activeElement.id") == "search"
    await page.evaluate("document.querySelector('whyleft-action').shadowRoot.querySelector('.close').focus()")
    await page.keyboard.press("Escape")
    await expect(page.locator("whyleft-action")).to_have_count(0)
    assert await page.evaluate("[document.activeElement.id, shift]") == ["search", 0]
    assert (await site.one("action_dismissed"))["props"]["action"] == ACTIONS[template]["action"]


async def test_a_popup_is_seen_first_and_holds_the_focus_from_the_next_frame(site: Site, page: Page) -> None:
    site.pages["/"] = PAGE.replace("id=search", "id=search autofocus")
    await page.goto(site.origin)
    seen = await page.evaluate(
        """async action => {
            const {show} = await import('/sdk/whyleft-render.js');
            const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            show(action, () => {});
            const dialog = document.querySelector('whyleft-action').shadowRoot.querySelector('dialog');
            const look = () => [dialog.checkVisibility(), dialog.matches(':modal'), document.activeElement.localName];
            const first = look();
            await frame(); await frame();
            await Promise.all(dialog.getAnimations().map(({finished}) => finished));
            return {first, then: look(), inside: dialog.getRootNode().activeElement.localName};
        }""",
        ACTIONS["popup"],
    )
    assert seen["first"] == [True, False, "input"]
    assert (seen["then"], seen["inside"]) == ([True, True, "whyleft-action"], "dialog")


async def test_a_popup_that_goes_at_once_throws_nothing(site: Site, page: Page) -> None:
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    site.pages["/"] = PAGE
    await page.goto(site.origin)
    left = await page.evaluate(
        """async action => {
            const {show} = await import('/sdk/whyleft-render.js');
            show(action, () => {}).clear();
            const told = [];
            show(action, ({kind}) => told.push(kind));
            document.querySelector('whyleft-action').shadowRoot.querySelector('.close').click();
            await new Promise(done => setTimeout(done, 200));
            return [document.querySelectorAll('whyleft-action').length, told];
        }""",
        ACTIONS["popup"],
    )
    assert left == [0, ["shown", "dismissed", "closed"]]
    assert thrown == []


async def test_a_choice_is_answered(site: Site, page: Page) -> None:
    await shown(site, page, "form")
    await page.get_by_role("button", name="Send").click()
    await page.get_by_label("Delivery takes too long").check()
    await page.get_by_role("button", name="Send").click()
    props = (await site.one("action_clicked"))["props"]
    assert props["answer"] == "Delivery takes too long"
    await expect(page.get_by_role("status")).to_have_text("Thank you, that helps.")
    assert not site.events("identified")


async def test_a_carousel_turns_and_leads_to_a_product(site: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await shown(site, page, "carousel")
    await page.get_by_role("button", name="Next").click()
    list_ = "document.querySelector('whyleft-action').shadowRoot.querySelector('ul')"
    await page.wait_for_function(f"{list_}.scrollLeft > 50")
    await page.get_by_role("link", name="Pocket scale").click()
    await page.wait_for_url("**/p/2")
    assert (await site.one("action_clicked"))["props"]["answer"] == "Pocket scale"


async def test_a_carousel_leaves_out_what_leads_nowhere_allowed(site: Site, page: Page) -> None:
    items = [
        {"title": "bad", "href": "javascript:owned=1", "image": "javascript:owned=1"},
        {"title": "good", "href": "/mug", "image": "http://elsewhere.example/spy.gif"},
    ]
    wanted: list[str] = []
    page.on("request", lambda request: wanted.append(request.url))
    site.pages["/"] = PAGE
    site.action = {**ACTIONS["carousel"], "content": {"title": "More", "items": items}}
    await page.goto(site.origin)
    await expect(page.get_by_role("link", name="good")).to_be_visible()
    await expect(page.get_by_role("link", name="bad")).to_have_count(0)
    assert not [url for url in wanted if "elsewhere" in url]


async def test_from_right_to_left_every_template_is_a_mirror(site: Site, page: Page) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.set_viewport_size({"width": 390, "height": 800})
    site.pages["/"] = PAGE.replace("<html", "<html dir=rtl")
    await page.goto(site.origin)
    for template, action in ACTIONS.items():
        await page.evaluate(SHOW, action)
        close, card, overflows, animation = await page.evaluate(
            """() => { const root = document.querySelector('whyleft-action').shadowRoot;
                const card = root.querySelector('.card'), box = card.getBoundingClientRect();
                const close = root.querySelector('.close').getBoundingClientRect();
                return [close.x - box.x, box.width, box.x < 0 || box.right > innerWidth
                    || document.documentElement.scrollWidth > innerWidth, getComputedStyle(card).animationName]; }"""
        )
        assert (close < card / 2, overflows, animation) == (True, False, "none"), template


async def test_an_unknown_template_is_drawn_as_a_card(site: Site, page: Page) -> None:
    site.pages["/"] = PAGE
    site.action = {**ACTIONS["banner"], "template": "hologram"}
    await page.goto(site.origin)
    await expect(page.get_by_text("Free delivery from")).to_be_visible()


async def test_on_the_smallest_screens_every_template_is_within_reach(site: Site, page: Page) -> None:
    """A phone held across, or a page at 400 %: what is longer than the screen is scrolled in its card."""
    await page.emulate_media(reduced_motion="reduce")
    await page.set_viewport_size({"width": 320, "height": 180})
    site.pages["/"] = PAGE
    await page.goto(site.origin)
    for template, action in ACTIONS.items():
        long = {**action, "content": {**action["content"], "body": "Send it back within thirty days. " * 12}}
        await page.evaluate(SHOW, long)
        top, bottom = await page.evaluate(
            """() => { const root = document.querySelector('whyleft-action').shadowRoot;
                root.querySelector('.close').scrollIntoView();
                const card = root.querySelector('.card').getBoundingClientRect();
                const close = root.querySelector('.close').getBoundingClientRect();
                return [Math.min(card.top, close.top), card.bottom]; }"""
        )
        assert top >= 0 and bottom <= 180, template


@pytest.mark.parametrize("layout", ["display: flex; flex-direction: column", "display: grid; gap: 40px"])
async def test_a_page_that_is_a_row_of_boxes_stays_as_it_is(site: Site, page: Page, layout: str) -> None:
    site.pages["/"] = (
        f"<!doctype html><style>body {{ margin: 0; min-height: 100vh; justify-content: space-between;"
        f" align-content: space-between; {layout} }}</style>{TAG}<main>Shop</main><footer>Imprint</footer>"
    )
    await page.goto(site.origin)
    where = "[document.querySelector('footer').getBoundingClientRect().y, document.documentElement.scrollHeight]"
    before = await page.evaluate(where)
    for template, action in ACTIONS.items():
        await page.evaluate(SHOW, action)
        assert await page.evaluate(where) == before, template
