"""Live actions as visitors see them: drawn by the SDK's renderer, in each language, harmless whatever is in them."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Browser, expect

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.entries import Entry
from insights.plans.entries import create_entry
from insights.viewer.action_preview import painted, painted_entry
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage
from tests.demo.serving import serving
from tests.viewer.conftest import Shop, Whole
from tests.viewer.seed import NOW

WORDS = {
    "default": {"title": "Free from {threshold}", "body": "{missing} to go", "cta_label": "Go on", "cta_href": "/cart"},
    "de": {"title": "Gratis ab {threshold}", "body": "<img src=x onerror=alert(1)>", "cta_label": "Weiter"},
}
ENTRY = Entry("shipping", LiveAction.FREE_SHIPPING_BANNER, "banner", WORDS, (Stage.CART_ADDER,))


def test_every_language_has_its_look_with_figures_in_place() -> None:
    default, german = painted_entry(ENTRY)
    assert (default.name, german.name) == ("default", "de")
    content = json.loads(default.action)["content"]
    assert content["title"] == "Free from 60.00 EUR"
    assert content["body"] == "12.50 EUR to go"
    assert content["cta"] == {"label": "Go on", "href": "#"}


def test_every_built_in_action_can_be_drawn() -> None:
    for offer in DEFAULT_CATALOGUE.offers:
        for face in painted(offer):
            action = json.loads(face.action)
            assert "{" not in json.dumps(action["content"]["title"])
            assert action["template"] == face.template


async def test_every_built_in_action_has_its_page_also_one_that_waits_for_the_shops_words(shop: Shop) -> None:
    for offer in DEFAULT_CATALOGUE.offers:
        page = await shop.see(f"/actions/{offer.action}")
        assert ("<iframe" in page) == bool(offer.faces), offer.action
        await shop.see(f"/actions/{offer.action}/frame", 200 if offer.faces else 404)
    assert "It waits for your words" in await shop.see("/actions/discount_popup")
    assert "Built in, waits for your words" in await shop.see("/actions")


async def test_unknown_actions_say_so(shop: Shop) -> None:
    for name in ("nonsense", "01a1f947fcd87ddb992e3a9ababc459b", "do_nothing"):
        assert "No such live action" in await shop.see(f"/actions/{name}", 404)


@pytest.mark.browser
async def test_the_renderer_draws_it_in_a_frame_that_can_do_nothing_else(whole: Whole, browser: Browser) -> None:
    async with whole.database.transaction(whole.project_id) as tx:
        made = await create_entry(tx, whole.project_id, ENTRY, NOW)
        entry_id = made.id
    async with serving(whole.app) as base:
        page = await browser.new_page(reduced_motion="reduce")
        fired: list[str] = []
        page.on("dialog", lambda dialog: fired.append(dialog.message))
        await page.goto(f"{base}/app/actions/{entry_id}?look=de")
        await page.fill("#key", whole.key)
        await page.keyboard.press("Enter")
        frame = page.frame_locator("iframe").first
        await expect(frame.get_by_text("Gratis ab 60.00 EUR")).to_be_visible()
        await expect(frame.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
        await frame.get_by_role("button", name="Schließen").click()
        await expect(frame.get_by_text("Gratis ab 60.00 EUR")).to_be_hidden()
        await frame.get_by_role("button", name="Show it again").click()
        await expect(frame.get_by_text("Gratis ab 60.00 EUR")).to_be_visible()
        await page.get_by_role("link", name="default").click()
        await expect(frame.get_by_role("link", name="Go on")).to_be_visible()
        await frame.get_by_role("link", name="Go on").click()
        assert page.url.endswith("look=default")
        alone = await page.request.get(f"{base}/app/actions/{entry_id}/frame")
        assert "frame-ancestors 'self'" in alone.headers["content-security-policy"]
        assert "unsafe" not in alone.headers["content-security-policy"]
        assert fired == []
        await page.close()
