"""The whole loop in a real browser: a shop, a server process, a mailbox, two visitors. Nothing in it is patched."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from adapters.postgres.engine import DatabaseUrls
from insights.demo.inbox import Inbox
from insights.demo.shop import create_shop
from tests.browser import PERSON
from tests.demo import serving as pages
from tests.e2e.server import Server, serving, until

pytestmark = pytest.mark.browser


@dataclass
class World:
    """What runs, and how to ask about it."""

    server: Server
    shop: str
    api: httpx.AsyncClient
    inbox: Inbox
    data_dir: Path

    async def sessions(self) -> list[dict[str, Any]]:
        """Newest first."""
        listed: list[dict[str, Any]] = (await self.api.get("/v1/sessions")).raise_for_status().json()["sessions"]
        return listed

    async def session(self, session_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"/v1/sessions/{session_id}")).raise_for_status().json()
        return found

    async def explained(self, session_id: str) -> dict[str, Any]:
        """The session, once it is closed and has its insight."""

        async def closed() -> dict[str, Any] | None:
            session = await self.session(session_id)
            return session if session["insight"] else None

        result: dict[str, Any] = await until(closed)
        return result

    def tickets(self) -> list[dict[str, Any]]:
        outbox = self.data_dir / "tickets.jsonl"
        return [json.loads(line) for line in outbox.read_text().splitlines()] if outbox.exists() else []


@pytest.fixture
async def world(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[World]:
    inbox = Inbox()
    inbox.start("127.0.0.1", 0, tmp_path / "inbox")
    # A visit's next page may be slow to come: until it is there, the visit seems to have ended.
    settings = {"WHYLEFT_SMTP_URL": f"smtp://127.0.0.1:{inbox.port}", "WHYLEFT_SESSION_GRACE_SECONDS": "10"}
    async with serving(database_urls, tmp_path, **settings) as server:
        write, secret = await server.key("write"), await server.key("secret")
        shop = create_shop(
            api_url=server.url, write_key=write, secret_key=secret, inbox_url=None, viewer_url=None, slow_seconds=0.5
        )
        async with pages.serving(shop) as shop_url:
            await server.key("write", shop_url)
            await server.run("flows", "starter", "--project", "shop", "--wait-scale", "1")
            headers = {"authorization": f"Bearer {secret}"}
            async with httpx.AsyncClient(base_url=server.url, headers=headers) as api:
                yield World(server, shop_url, api, inbox, tmp_path)
    inbox.stop()


async def visit(browser: Browser, world: World, path: str = "/") -> Page:
    page = await (await browser.new_context(user_agent=PERSON)).new_page()
    await page.goto(world.shop + path)
    # The key ring of the server remembers an answer for some seconds: the origin was allowed a moment ago.
    await page.wait_for_function("() => window.whyleft && window.whyleft.session")
    return page


async def watched(world: World, page: Page) -> None:
    """Waits until the signals watch the page: it is the same module that the SDK loads."""
    await page.evaluate("url => import(url).then(() => {})", f"{world.server.url}/sdk/whyleft-signals.js")


async def product_path(page: Page, number: int) -> str:
    """The path of the catalogue's product number ``number``."""
    links = await page.locator("a[href^='/product']").evaluate_all(
        "links => [...new Set(links.map(link => link.getAttribute('href')))]"
    )
    return str(links[number])


async def test_a_visitor_is_served_meets_failing_calls_and_leaves_another_buys_and_is_left_alone(
    world: World, browser: Browser
) -> None:
    first = await visit(browser, world)
    session_id = await first.evaluate("() => window.whyleft.session()")
    path = await product_path(first, 0)

    # Served: something in the basket, then a look at the returns page, and the pointer leaves for the tabs.
    await first.goto(world.shop + path)
    await first.locator("article [data-add-to-cart]").click()
    await expect(first.locator("#basket-count")).to_have_text("1")
    await first.goto(world.shop + "/returns")
    await watched(world, first)
    # A headless pointer cannot leave the window; the browser's event for it is sent by hand.
    await first.evaluate(
        "() => document.dispatchEvent(new MouseEvent('mouseout', {clientY: 1, relatedTarget: null, bubbles: true}))"
    )
    shown = first.locator("whyleft-action")
    await expect(shown).to_be_attached()
    await first.keyboard.press("Escape")

    # Rude: the cart fails three times.
    await first.goto(world.shop + path)
    await first.evaluate("() => localStorage.setItem('shop.broken', JSON.stringify(['cart-fails']))")
    await first.reload()
    await watched(world, first)
    button = first.locator("article [data-add-to-cart]")
    for _ in range(3):
        async with first.expect_response(lambda answer: answer.url.endswith("/api/cart") and answer.status == 500):
            await button.click()
        # It can be pressed again once the page has the answer: not before has the SDK seen it.
        await expect(button).to_be_enabled()
    await first.close(run_before_unload=False)

    session = await world.explained(session_id)
    insight = session["insight"]
    failures = [event["id"] for event in session["events"] if event["type"] == "request_failed"]
    assert len(failures) == 3
    assert insight["reason"] == "technical_error"
    assert set(failures) <= set(insight["evidence"])
    assert "action_shown" in {event["type"] for event in session["events"]}
    assert session["close_reason"] == "ended"

    async def ticket() -> list[dict[str, Any]]:
        return world.tickets()

    tickets = await until(ticket)
    assert [entry["request"]["path"] for entry in tickets] == ["/api/cart"]

    # The second visitor gives an address, hesitates over the price, leaves: a mail is planned for an hour later.
    second = await visit(browser, world, path)
    second_session = await second.evaluate("() => window.whyleft.session()")
    await second.evaluate("() => window.whyleft.identify({email: 'ada@example.org'})")
    await second.evaluate("() => window.whyleft.consent({marketing: true, channels: ['email']})")
    await second.locator("article [data-add-to-cart]").click()
    await expect(second.locator("#basket-count")).to_have_text("1")
    await second.goto(world.shop + "/cart")
    for _ in range(2):
        await second.get_by_label("Discount code").fill("NOPE")
        await second.get_by_role("button", name="Use").click()
        await expect(second.locator("#coupon-says")).to_have_text("We do not know this code.")
    await second.evaluate("() => window.whyleft.flush()")
    stored = await until(lambda: _has_two_refusals(world, second_session))
    assert stored
    (await world.api.post(f"/v1/sessions/{second_session}/close")).raise_for_status()
    assert (await world.explained(second_session))["insight"]["reason"] == "price_hesitation"
    runs = await until(lambda: _runs(world, second_session))
    assert [(run["status"], run["flow"]) for run in runs] == [("waiting", runs[0]["flow"])]

    # They come back and buy: the mail is not sent any more.
    await second.goto(world.shop + "/thank-you")
    await second.evaluate(
        "() => window.whyleft.purchased({order_id: 'QK-1', value_minor: 1800, currency: 'EUR', items: 1})"
    )

    async def cancelled() -> bool:
        return [run["status"] for run in await _runs(world, second_session)] == ["cancelled"]

    await until(cancelled)
    assert world.inbox.messages() == []
    assert len(world.tickets()) == 1


async def _has_two_refusals(world: World, session_id: str) -> bool:
    events = (await world.session(session_id))["events"]
    return sum(event["type"] == "coupon_tried" for event in events) == 2


async def _runs(world: World, session_id: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (
        (await world.api.get("/v1/runs", params={"session": session_id})).raise_for_status().json()["runs"]
    )
    return listed
