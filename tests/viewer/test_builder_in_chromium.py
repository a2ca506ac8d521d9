"""The flow builder by hand: what was typed outlives a login, nothing is lost in silence, a step is sent to oneself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.demo.serving import serving
from tests.viewer.conftest import Whole

pytestmark = pytest.mark.browser


@pytest.fixture
async def page(whole: Whole, browser: Browser) -> AsyncIterator[Page]:
    """A new flow in the builder."""
    async with serving(whole.app) as base:
        context = await browser.new_context(viewport={"width": 1300, "height": 1000}, reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(f"{base}/app/flows")
        await log_in(page, whole.key)
        await page.get_by_label("Name", exact=True).fill(f"by hand {uuid4()}")
        await page.get_by_role("button", name="Begin with nothing").click()
        await expect(page.get_by_role("status")).to_contain_text("wrong")
        yield page
        await context.close()


async def log_in(page: Page, key: str) -> None:
    """With a key, where the page that was asked for wants a login."""
    await page.fill("#key", key)
    await page.get_by_role("button", name="Log in by key").click()
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()


async def test_who_logs_in_again_in_another_tab_goes_on_where_they_were(whole: Whole, page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    said = page.get_by_role("status")
    await expect(said).to_have_text("Nothing is wrong with it. It is not saved yet.")
    other = await page.context.new_page()
    await other.goto(page.url)
    await other.get_by_role("button", name="Log out").click()
    await page.get_by_role("button", name="Save draft").click()
    await expect(said).to_have_text("Your login is over. Log in again in another tab, then go on here.")
    await log_in(other, whole.key)
    await page.get_by_role("button", name="Save draft").click()
    await expect(said).to_have_text("Saved as a draft.")
    await page.reload()
    await expect(page.get_by_role("button", name="Wait 4 hours")).to_be_visible()


async def test_a_step_is_sent_to_oneself_from_the_builder(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=send]").click()
    await page.get_by_label("Your e-mail address").fill("nonsense")
    send = page.get_by_role("button", name="Send it to yourself")
    told = page.get_by_role("group", name="See it").get_by_role("status")
    await send.click()
    await expect(told).to_contain_text("is no e-mail address")
    await page.get_by_label("Action", exact=True).select_option("create_ticket")
    await send.click()
    await expect(told).to_contain_text("The provider took it")
    await page.get_by_label("Action", exact=True).select_option("tag_customer")
    await expect(send).to_have_count(0)


async def test_what_cannot_be_read_is_kept_and_said_to_be_wrong(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    await page.get_by_role("button", name="Set Event").click()
    await page.get_by_label("Type", exact=True).fill("custom")
    await page.get_by_label("Props", exact=True).fill('{"plan": "gold"')
    await expect(page.get_by_label("Props", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_role("button", name="Publish …")).to_be_disabled()
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.get_by_role("status")).to_have_text("Saved as a draft.")
    await page.reload()
    await page.locator("[data-step=wait_1]").click()
    await expect(page.get_by_label("Props", exact=True)).to_have_value('{"plan": "gold"')


async def test_a_way_that_needs_a_step_is_not_said_to_end(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=branch]").click()
    tree = page.locator("[data-builder-tree]")
    await expect(tree).to_contain_text("Otherwise names no step")
    await expect(tree).not_to_contain_text("The run ends.")
    await expect(page.get_by_label("Then", exact=True).locator("option").first).to_have_text("(choose one)")


async def test_a_flow_is_renamed(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    await page.locator("[data-trigger]").click()
    await page.get_by_label("Name", exact=True).fill("another name")
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.locator("[data-builder-said]")).to_have_text("Saved as a draft.")
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Build another name")


async def test_a_condition_stays_the_text_that_was_written(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=branch]").click()
    await page.get_by_label("When", exact=True).fill("cart.value >= 50.00 EUR")
    for way in range(2):
        await page.locator("[data-step=branch_1]").click()
        await page.locator("[data-builder-form] .adder").nth(way).locator("[data-add=exit]").click()
    publish = page.get_by_role("button", name="Publish …")
    await expect(publish).to_be_enabled()
    await publish.click()
    await page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    await expect(page.locator("[data-builder-said]")).to_contain_text("Version 1 is live")
    await page.reload()
    await page.locator("[data-step=branch_1]").click()
    await expect(page.get_by_label("When", exact=True)).to_have_value("cart.value >= 50.00 EUR")
    await expect(page.get_by_role("button", name="Save draft")).to_be_disabled()


async def test_publishing_what_rests_shows_what_differs_from_before(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    await page.get_by_role("button", name="Publish …").click()
    await page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    await expect(page.locator("[data-builder-said]")).to_contain_text("Version 1 is live")
    other = await page.context.new_page()
    await other.goto(page.url.removesuffix("/build"))
    await other.get_by_role("button", name="Pause").click()
    await expect(other.get_by_role("status")).to_contain_text("nothing starts it any more")
    await other.goto(page.url)
    await other.locator("[data-step=wait_1]").click()
    await other.get_by_label("For", exact=True).fill("PT5H")
    await other.get_by_role("button", name="Publish …").click()
    await expect(other.get_by_role("dialog")).to_contain_text("wait_1 /steps/wait_1/for")


async def test_the_first_bounds_of_a_flow_are_kept(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    await page.locator("[data-trigger]").click()
    await page.get_by_label("Holdout", exact=True).fill("2")
    await expect(page.get_by_label("Holdout", exact=True)).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Holdout", exact=True).fill("0.2")
    await page.get_by_role("button", name="Set Quiet hours").click()
    await expect(page.get_by_role("button", name="Take away Quiet hours")).to_be_visible()
    await page.get_by_role("button", name="Take away Quiet hours").click()
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.locator("[data-builder-said]")).to_have_text("Saved as a draft.")
    await page.reload()
    await page.locator("[data-trigger]").click()
    await expect(page.get_by_label("Holdout", exact=True)).to_have_value("0.2")


async def test_a_number_may_have_a_comma_and_what_is_none_stays_to_be_mended(page: Page) -> None:
    """7,5 percent off became 75: the browser left the comma out."""
    await page.locator("[data-builder-tree] [data-add=send]").click()
    percent = page.get_by_label("Discount percent", exact=True)
    beside = page.locator("[data-builder-form] .problem-text:not(:empty)")
    for typed, said in (("7,5", "write a whole number"), ("95", "write at most 90"), ("10 %", "write a number alone")):
        await percent.fill("")
        await percent.press_sequentially(typed)
        await expect(beside).to_contain_text(said)
        await expect(percent).to_have_value(typed)
    await page.locator("[data-trigger]").click()
    await page.get_by_label("Holdout", exact=True).press_sequentially("0,2")
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.locator("[data-builder-said]")).to_have_text("Saved as a draft.")
    await page.reload()
    await page.locator("[data-trigger]").click()
    await expect(page.get_by_label("Holdout", exact=True)).to_have_value("0.2")
    await page.locator("[data-step=send_1]").click()
    await expect(percent).to_have_value("10 %")


async def test_the_keyboard_stays_where_it_was(page: Page) -> None:
    """Each change of the form's shape sent it back to the top of the page."""
    focused = page.locator(":focus")
    await page.locator("[data-builder-tree] [data-add=send]").press("Enter")
    await expect(focused).to_have_text("Step send_1")
    await page.get_by_label("Action", exact=True).focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_label("Action", exact=True)).to_have_value("send_sms")
    await expect(page.get_by_label("Action", exact=True)).to_be_focused()
    await page.locator("[data-trigger]").press("Enter")
    await page.get_by_role("button", name="Set Quiet hours").press("Enter")
    await expect(page.get_by_label("From", exact=True)).to_be_focused()
    await page.get_by_role("button", name="Take away Quiet hours").press("Enter")
    await expect(page.get_by_role("button", name="Set Quiet hours")).to_be_focused()
    await page.locator("[data-step=send_1]").press("Enter")
    await page.get_by_role("button", name="Delete this step").press("Enter")
    await expect(page.locator("[data-step=send_1]")).to_have_count(0)
    await expect(page.locator("[data-trigger]")).to_be_focused()


async def test_what_was_done_beside_somebody_elses_change_is_not_lost(page: Page) -> None:
    """It could only be thrown away, by loading the page anew."""
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    other = await page.context.new_page()
    await other.goto(page.url)
    await other.locator("[data-builder-tree] [data-add=exit]").click()
    await other.get_by_role("button", name="Save draft").click()
    await expect(other.locator("[data-builder-said]")).to_have_text("Saved as a draft.")
    said = page.locator("[data-builder-said]")
    await page.get_by_role("button", name="Publish …").click()
    await expect(said).to_contain_text("Somebody else changed this flow meanwhile")
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="See theirs in another tab").click()
    theirs = await opened.value
    await expect(theirs.locator("[data-step=exit_1]")).to_be_visible()
    await page.get_by_role("button", name="Save draft").click()
    await expect(said).to_have_text("Saved as a draft.")
    await theirs.reload()
    await expect(theirs.locator("[data-step=wait_1]")).to_be_visible()
    await expect(theirs.locator("[data-step=exit_1]")).to_have_count(0)


@pytest.mark.parametrize("typed", ["PT7H", "a while"], ids=["right", "wrong"])
async def test_a_drawing_that_comes_after_the_save_leaves_it_said(page: Page, typed: str) -> None:
    said, drawn = page.locator("[data-builder-said]"), asyncio.Event()

    async def late(route: Route) -> None:
        await drawn.wait()
        await route.continue_()

    await page.locator("[data-builder-tree] [data-add=wait]").click()
    await page.get_by_label("For", exact=True).fill(typed)
    await page.route("**/flows/*/drawn", late)
    async with page.expect_request("**/flows/*/drawn"):
        await page.get_by_role("button", name="Save draft").click()
    await expect(said).to_have_text("Saved as a draft.")
    async with page.expect_response("**/flows/*/drawn"):
        drawn.set()
    await expect(page.locator("[data-builder-tree]")).not_to_have_attribute("aria-busy", "true")
    await expect(said).to_have_text("Saved as a draft.")


async def test_what_is_typed_while_a_draft_is_being_saved_is_not_taken_for_saved(page: Page) -> None:
    """On a slow network it was lost without a word; a second press was told that somebody else had changed the flow."""
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    wait, said = page.get_by_label("For", exact=True), page.locator("[data-builder-said]")
    under_way, go_on = asyncio.Event(), asyncio.Event()
    puts: list[str] = []

    async def slowly(route: Route) -> None:
        if route.request.method == "PUT":
            puts.append(route.request.url)
            under_way.set()
            await go_on.wait()
        await route.continue_()

    await page.route("**/v1/flows/*", slowly)
    save = page.get_by_role("button", name="Save draft")
    await save.dblclick()
    await asyncio.wait_for(under_way.wait(), 10)
    await wait.fill("PT7H")
    go_on.set()
    await expect(said).to_have_text("Saved as a draft. What you changed since is not saved yet.")
    assert len(puts) == 1
    await save.click()
    await expect(said).to_have_text("Saved as a draft.")
    await page.reload()
    await expect(page.get_by_role("button", name="Wait 7 hours")).to_be_visible()


async def test_a_server_that_cannot_be_reached_is_told_in_words(page: Page) -> None:
    await page.locator("[data-builder-tree] [data-add=wait]").click()
    said = page.locator("[data-builder-said]")
    await expect(said).to_have_text("Nothing is wrong with it. It is not saved yet.")
    await page.context.set_offline(True)
    await page.get_by_label("For", exact=True).fill("PT7H")
    await expect(said).to_contain_text("The server cannot be reached")
    await expect(page.locator("[data-builder-tree]")).not_to_have_attribute("aria-busy", "true")
    await page.context.set_offline(False)
    await page.get_by_role("button", name="Save draft").click()
    await expect(said).to_have_text("Saved as a draft.")
