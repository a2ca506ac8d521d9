"""A marketer's day in a real browser, by clicks alone: from what changed to a flow that did its work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import update

from flows.models import FlowRun
from insights.models import Session
from tests.demo.serving import serving
from tests.viewer.conftest import Whole
from tests.viewer.seed import Visit, broken_checkout, store

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

        # What changed? Today says it; the pattern says what to do and leads to the visits behind it.
        await page.get_by_role("link", name="Today", exact=True).click()
        await page.get_by_role("link", name="Trust concern up from").first.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Trust concern up from")
        await expect(page.get_by_role("heading", name="What to do")).to_be_visible()
        await page.get_by_role("link", name="All of them").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The visits behind it")
        await page.locator("a.row-link").first.click()
        await expect(page.locator("#why")).to_contain_text("Trust concern")

        # Why else do they leave? The reason leads to its visits, a visit to its evidence.
        await page.get_by_role("link", name="Sessions", exact=True).first.click()
        await page.get_by_role("link", name="Technical error").last.click()
        await page.locator("a.row-link").first.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("They left €69.00 in the cart")
        await page.locator("#c-1 a").click()
        await expect(page.locator(".line.cited").first).to_be_in_viewport()

        # A flow against it, in place of the one that writes a ticket at once.
        await page.get_by_role("link", name="Flows", exact=True).click()
        await page.get_by_role("link", name="technical_error", exact=True).click()
        await page.get_by_role("button", name="Pause").click()
        await expect(page.get_by_role("button", name="Resume")).to_be_visible()
        await page.get_by_role("link", name="Flows", exact=True).first.click()
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

        # Somebody meets the error. The flow waits, sends, and leads back to the visit that shows it.
        await page.get_by_role("link", name="sorry").click()
        await expect(page.locator("#runs")).to_contain_text("None yet")
        visit = await meet_the_error(whole)
        await page.reload()
        await expect(page.locator("#runs")).to_contain_text("waiting")
        await two_hours_pass(whole)
        await page.reload()
        await expect(page.locator("#runs")).to_contain_text("Create ticket accepted")
        await expect(page.locator("#results")).to_contain_text("sent")
        await expect(page.locator("#draft")).to_contain_text("changed")
        await page.get_by_role("link", name="The visits behind them").click()
        await expect(page.locator("a.row-link")).to_have_count(1)
        await page.locator("a.row-link").click()
        assert page.url.endswith(str(visit.id))
        run = page.locator("article.run").filter(has_text="sorry")
        await expect(run).to_contain_text("Create ticket accepted")
        assert faults == []
        await page.close()


async def meet_the_error(whole: Whole) -> Visit:
    """A visit like the others that broke ends, is read by the product, and starts what it starts."""
    now = datetime.now(UTC)
    visit = broken_checkout(now - timedelta(minutes=40), open=True)
    async with whole.database.transaction(whole.project_id) as tx:
        await store(tx, whole.project_id, visit)
        await tx.execute(update(Session).where(Session.id == visit.id).values(close_at=now - timedelta(minutes=1)))
    await whole.services.closer.close_due()
    await whole.services.runner.run_due()
    return visit


async def two_hours_pass(whole: Whole) -> None:
    """What waits is due, and is done."""
    waiting = (FlowRun.project_id == whole.project_id, FlowRun.status == "waiting")
    async with whole.database.transaction(whole.project_id) as tx:
        await tx.execute(update(FlowRun).where(*waiting).values(due_at=datetime.now(UTC)))
    await whole.services.runner.run_due()
