"""A marketer's day in a real browser: from the visits behind a reason to a flow that reached somebody."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import select

from flows.models import Flow
from tests.demo.serving import serving
from tests.viewer.conftest import Whole
from tests.viewer.seed import run

pytestmark = pytest.mark.browser


async def test_from_a_reason_to_its_sessions_to_a_flow_and_its_delivery(whole: Whole, browser: Browser) -> None:
    async with serving(whole.app) as base:
        page = await browser.new_page(viewport={"width": 1300, "height": 1000}, reduced_motion="reduce")
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        await page.goto(f"{base}/app/sessions")
        await page.fill("#key", whole.key)
        await page.keyboard.press("Enter")

        # What changed? A pattern leads to the visits behind it.
        await page.get_by_role("link", name="Patterns", exact=True).click()
        await page.get_by_role("link", name="Trust concern up from").click()
        await page.get_by_role("link", name="All of them").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The visits behind it")
        await expect(page.locator("a.row-link").first).to_be_visible()
        await page.get_by_role("link", name="Sessions", exact=True).click()

        # Why do they leave? The reason leads to its visits, a visit to its evidence.
        await page.get_by_role("link", name="Technical error").last.click()
        await page.locator("a.row-link").first.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("They left €69.00 in the cart")

        # A flow against it.
        await page.get_by_role("link", name="Flows", exact=True).click()
        await page.get_by_label("Name", exact=True).fill("sorry")
        await page.get_by_role("button", name="Begin with nothing").click()
        await expect(page.get_by_role("button", name="Save draft")).to_be_visible()
        said = page.get_by_role("status")
        await expect(said).to_contain_text("wrong")
        await page.get_by_role("button", name="A visit ended").click()
        await page.get_by_label("Technical error").check()
        await page.locator("[data-builder-tree] [data-add=wait]").click()
        await page.get_by_label("For", exact=True).fill("PT2H")
        await page.locator("[data-builder-form] [data-add=send]").first.click()
        await page.get_by_label("Action", exact=True).select_option("create_ticket")
        tree = page.locator("[data-builder-tree]")
        await expect(tree.get_by_role("button", name="Wait 2 hours")).to_be_visible()
        await expect(tree.get_by_role("button", name="Create ticket")).to_be_visible()

        # What is wrong is said where it is wrong.
        await page.get_by_role("button", name="Wait 2 hours").click()
        await page.get_by_label("For", exact=True).fill("two hours")
        await expect(page.get_by_label("For", exact=True)).to_have_attribute("aria-invalid", "true")
        await expect(tree.locator(".step.faulty .problem-text").first).to_be_visible()
        await page.get_by_label("For", exact=True).fill("PT2H")
        await expect(said).to_have_text("Nothing is wrong with it. It is not saved yet.")

        # Last week, drawn on the tree.
        await page.get_by_role("button", name="Preview last week").click()
        await expect(said).to_contain_text("Last week:")
        await expect(tree.locator(".counts").first).to_contain_text("started of")

        await page.get_by_role("button", name="Publish …").click()
        await expect(page.get_by_role("dialog")).to_contain_text("The first version: 2 steps.")
        await page.get_by_role("dialog").get_by_role("button", name="Publish").click()
        await expect(said).to_contain_text("Version 1 is live")

        # A change is shown before it is let out.
        await page.get_by_role("button", name="Wait 2 hours").click()
        await page.get_by_label("For", exact=True).fill("PT3H")
        await page.get_by_role("button", name="Publish …").click()
        await expect(page.get_by_role("dialog")).to_contain_text("changed")
        await page.get_by_role("dialog").get_by_role("button", name="Not now").click()

        # Somebody is reached; the flow shows it and leads back to the visit.
        await reach(whole, "sorry")
        await page.get_by_role("link", name="sorry").click()
        await expect(page.locator("#runs")).to_contain_text("accepted")
        await expect(page.locator("#draft")).to_contain_text("changed")
        await page.get_by_role("link", name="The visits behind them").click()
        await expect(page.locator("a.row-link")).to_have_count(1)
        assert faults == []
        await page.close()


async def reach(whole: Whole, flow: str) -> None:
    """A run of the published flow on the newest broken visit, with a delivery that was accepted."""
    visit = whole.visits["buyer"]
    async with whole.database.transaction(whole.project_id) as tx:
        found = await tx.scalar(select(Flow).where(Flow.project_id == whole.project_id, Flow.name == flow))
        assert found is not None and found.version_id is not None
        await run(
            tx, whole.project_id, visit, found, step="send_1",
            deliveries=[{"action": "create_ticket", "channel": "ticket", "recipient": "outbox"}],
        )  # fmt: skip
