"""What a visitor sees of an action, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.sdk.site import TAG, Site
from tests.sdk.test_sdk_guest import ACTION

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]

BANNER: dict[str, Any] = {
    "decision_id": "01890a5d-ac96-774b-bcce-b302099a8058",
    "action": "free_shipping_banner",
    "template": "banner",
    "content": {
        "title": "Free shipping today",
        "body": "From 40 euros.",
        "cta": {"label": "See mugs", "href": "/mugs"},
        "input": None,
        "dismiss_label": "Close",
    },
}
OUTCOME = {"decision_id": BANNER["decision_id"], "action": BANNER["action"]}


def with_cta(label: str, href: str) -> dict[str, Any]:
    return {**BANNER, "content": {**BANNER["content"], "cta": {"label": label, "href": href}}}


async def shown(site: Site, page: Page, action: dict[str, Any]) -> None:
    """A page with an input that has the focus, and the action on it."""
    site.pages["/"] = f"<!doctype html>{TAG}<input id=search autofocus>"
    site.action = action
    await page.goto(site.origin)
    await site.one("action_shown")


async def test_a_banner_is_drawn_out_of_reach_and_takes_no_focus(site: Site, page: Page) -> None:
    await shown(site, page, BANNER)
    await expect(page.get_by_text("Free shipping today")).to_be_visible()
    assert await page.evaluate("document.activeElement.id") == "search"
    assert await page.evaluate("!!document.querySelector('whyleft-action').shadowRoot")
    assert site.events("action_shown")[0]["props"] == OUTCOME


async def test_a_clicked_banner_leads_on_and_says_so(site: Site, page: Page) -> None:
    await shown(site, page, BANNER)
    await page.get_by_role("link", name="See mugs").click()
    await page.wait_for_url("**/mugs")
    assert (await site.one("action_clicked"))["props"] == OUTCOME
    assert not site.events("action_dismissed")


async def test_a_dismissed_action_stays_dismissed_in_every_tab(site: Site, visitor: BrowserContext, page: Page) -> None:
    await shown(site, page, BANNER)
    await page.get_by_role("button", name="Close").click()
    assert (await site.one("action_dismissed"))["props"] == OUTCOME
    for tab in (page, await visitor.new_page()):
        site.action = BANNER
        await tab.goto(site.origin + "/again")
        await site.heard(lambda: site.action is None)
        await tab.evaluate("new Promise(done => setTimeout(done, 300))")
        await expect(tab.get_by_text("Free shipping today")).to_have_count(0)


async def test_what_no_longer_fits_is_taken_down_without_a_word_of_it(site: Site, page: Page) -> None:
    await shown(site, page, BANNER)
    site.withdraw = ["cart_save"]
    await page.evaluate("whyleft.track('cart_removed', {product_id: 'a'})")
    await site.one("cart_removed")
    await expect(page.get_by_text("Free shipping today")).to_be_visible()
    site.withdraw = ["free_shipping_banner"]
    await page.evaluate("whyleft.track('purchased', {order_id: 'o', value_minor: 1, currency: 'EUR'})")
    await expect(page.get_by_text("Free shipping today")).to_have_count(0)
    assert not site.events("action_dismissed")


async def test_escape_closes_a_popup_and_the_focus_goes_back(site: Site, page: Page) -> None:
    await shown(site, page, ACTION)
    await page.wait_for_function("document.querySelector('whyleft-action').shadowRoot.querySelector(':modal')")
    # Not its field: on a phone that would bring up the keyboard over it.
    focus = "document.activeElement.shadowRoot.activeElement.localName"
    assert await page.evaluate(focus) == "dialog"
    await page.keyboard.press("Escape")
    assert (await site.one("action_dismissed"))["props"]["action"] == "cart_save"
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await page.evaluate("document.activeElement.id") == "search"


@pytest.mark.parametrize("agrees", [True, False])
async def test_an_address_is_taken_and_consent_only_when_ticked(site: Site, page: Page, agrees: bool) -> None:
    await shown(site, page, ACTION)
    await expect(page.get_by_role("checkbox")).not_to_be_checked()
    await page.get_by_label("E-mail").fill("ann@example.com")
    if agrees:
        await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Send").click()
    assert (await site.one("identified"))["props"] == {"email": "ann@example.com"}
    await site.one("action_clicked")
    await expect(page.get_by_role("status")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.goto("about:blank")
    consents = [event["props"] for event in site.events("consent_changed")]
    assert consents == ([{"marketing": True, "channels": ["email"]}] if agrees else [])
    assert not site.events("action_dismissed")


async def test_a_bad_address_is_not_taken(site: Site, page: Page) -> None:
    await shown(site, page, ACTION)
    await page.get_by_label("E-mail").fill("ann")
    await page.get_by_role("button", name="Send").click()
    await page.goto("about:blank")
    assert not site.events("identified")


async def test_hostile_text_stays_text(site: Site, page: Page) -> None:
    hostile = "<img src=x onerror=window.owned=1><script>window.owned=1</script>"
    await shown(site, page, with_cta(hostile, "/mugs"))
    await expect(page.get_by_role("link", name=hostile)).to_be_visible()
    assert await page.evaluate("window.owned") is None


@pytest.mark.parametrize(
    ("hrefs", "count"),
    [
        (("javascript:owned=1", "data:text/html,x", "http://elsewhere.example/", "//[", " java\tscript:owned=1"), 0),
        (("/mugs", "https://elsewhere.example/", "mailto:ann@example.com", "tel:+3212345"), 1),
    ],
)
async def test_only_an_address_that_is_allowed_becomes_a_link(
    site: Site, page: Page, hrefs: tuple[str, ...], count: int
) -> None:
    await page.goto(site.origin)
    for href in hrefs:
        linked = await page.evaluate(
            """async action => {
                const {show} = await import('/sdk/whyleft-render.js');
                await new Promise(done => { show(action, done); });
                const root = document.querySelector('whyleft-action').shadowRoot;
                const links = [...root.querySelectorAll('a,.cta')].map(link => link.getAttribute('href'));
                root.querySelector('.close').click();
                return links; }""",
            with_cta("Go", href),
        )
        assert len(linked) == count, href
        assert all(link.endswith(href) for link in linked)


async def test_one_action_at_a_time(site: Site, page: Page) -> None:
    await shown(site, page, BANNER)
    site.action = ACTION
    await page.evaluate("whyleft.cartAdded({product_id: 'm1'})")
    await site.heard(lambda: site.action is None)
    await page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert len(site.events("action_shown")) == 1
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(
    "leaves",
    [
        "document.body.replaceChildren('another route')",
        # As Turbo does with the pages that it keeps, and htmx.
        "document.body.replaceWith(document.body.cloneNode(true))",
        "document.body.innerHTML = document.body.innerHTML",
    ],
)
async def test_a_page_that_replaces_its_body_makes_room_for_the_next_action(
    site: Site, page: Page, leaves: str
) -> None:
    await shown(site, page, BANNER)
    await page.evaluate(leaves)
    await expect(page.get_by_text("Free shipping today")).to_have_count(0)
    site.action = ACTION
    await page.evaluate("whyleft.track('cart_added', {product_id: 'a', quantity: 1, price_minor: 1, currency: 'EUR'})")
    await expect(page.get_by_role("dialog")).to_be_visible()


async def test_a_shop_may_draw_an_action_itself(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate("whyleft.on('action', action => { window.got = action; return false; })")
    site.action = BANNER
    await page.evaluate("whyleft.cartAdded({product_id: 'm1'})")
    await page.wait_for_function("window.got")
    assert await page.evaluate("got.decision_id") == BANNER["decision_id"]
    await page.goto("about:blank")
    assert not site.events("action_shown")


async def test_reduced_motion_and_right_to_left_are_respected(site: Site, page: Page) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.add_init_script(
        "document.addEventListener('DOMContentLoaded', () => { document.documentElement.dir = 'rtl' })"
    )
    await shown(site, page, BANNER)
    card, close = await page.evaluate(
        """() => { const root = document.querySelector('whyleft-action').shadowRoot;
            const card = root.querySelector('.card'), close = root.querySelector('.close');
            const box = card.getBoundingClientRect();
            return [getComputedStyle(card).animationName, close.getBoundingClientRect().x - box.x < box.width / 2]; }"""
    )
    assert (card, close) == ("none", True)
