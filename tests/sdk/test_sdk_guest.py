"""The SDK in somebody else's page: strict policies, patched globals, nothing thrown, nothing changed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.sdk.site import TAG, Site
from tests.sdk.test_sdk_corpus import WATCHING

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]

LISTEN = """window.troubles = [];
addEventListener('error', event => troubles.push(event.message || event.target.src));
addEventListener('unhandledrejection', event => troubles.push(String(event.reason)));
addEventListener('securitypolicyviolation',
    event => troubles.push([event.violatedDirective, event.blockedURI, event.sample].join(' ')));"""

ACTION: dict[str, Any] = {
    "decision_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "action": "cart_save",
    "template": "popup",
    "content": {
        "title": "Keep your cart",
        "body": "We send it to you.",
        "cta": {"label": "Send", "href": None},
        "input": {"kind": "email", "label": "E-mail", "consent_label": "Also send me news"},
        "dismiss_label": "No, thanks",
    },
}


async def test_strict_policies_are_never_violated(site: Site, page: Page) -> None:
    policy = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
    site.headers = {"Content-Security-Policy": policy}
    site.action = ACTION
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await page.fill("input[type=email]", "ann@example.com")
    await page.get_by_role("button", name="Send").click()
    await site.one("identified")
    assert (
        await page.evaluate(
            "getComputedStyle(document.querySelector('whyleft-action').shadowRoot.querySelector('dialog')).position"
        )
        == "fixed"
    )
    assert await page.evaluate("troubles") == []


async def test_a_nonce_is_enough_to_load_the_chunks(site: Site, page: Page) -> None:
    site.headers = {"Content-Security-Policy": "script-src 'nonce-abc'; require-trusted-types-for 'script'"}
    site.pages["/"] = "<!doctype html>" + TAG.replace("<script", '<script nonce="abc"')
    site.action = ACTION
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await page.evaluate("troubles") == []


async def test_the_observers_of_a_page_have_nothing_to_complain_of_after_a_click(site: Site, page: Page) -> None:
    """The SDK waits for the next frame with an observer of its own, which is gone before the page's changes a size."""
    site.pages["/"] = (
        f"<!doctype html>{TAG}<button onclick=\"box.style.height = '90px'\">More</button><div id=box>1</div>"
        "<script>let height = 800; new ResizeObserver(() => {"
        " document.documentElement.style.height = `${height += 50}px`; }).observe(box)</script>"
    )
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    before = await page.evaluate("height")
    await page.click("button")
    await page.wait_for_function("before => height > before", arg=before)
    await site.one("clicked")
    assert await page.evaluate("troubles") == []


async def test_fetch_keeps_its_arguments_and_its_promise(site: Site, page: Page) -> None:
    await page.add_init_script(
        """window.seen = []; const original = fetch;
        window.fetch = function () {
            seen.push([this, arguments]);
            return (window.made = original.apply(this, arguments));
        };"""
    )
    await page.goto(site.origin)
    told = await page.evaluate(
        """async () => {
            seen.length = 0;
            const request = new Request('/api/200', {method: 'POST', body: 'x'}), init = {priority: 'low'}, extra = {};
            const given = fetch(request, init, extra);
            const [self, args] = seen[0];
            const same = args.length === 3 && args[0] === request && args[1] === init && args[2] === extra;
            return [same && given === made, (await given).status, self === window || self === undefined];
        }"""
    )
    assert told == [True, 200, True]


async def test_a_failing_fetch_fails_as_it_did(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    assert await page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'fine', error => error.name)") == "TypeError"
    assert await page.evaluate("fetch().then(() => 'fine', error => error.name)") == "TypeError"
    assert await page.evaluate("try { new XMLHttpRequest().open() } catch (error) { error.name }") == "TypeError"


async def test_an_endpoint_that_cannot_be_reached_throws_nothing_into_the_page(site: Site, page: Page) -> None:
    site.pages["/"] = "<!doctype html>" + TAG.replace("data-key", 'data-endpoint="http://127.0.0.1:1" data-key')
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await page.evaluate("whyleft.cartAdded({product_id: 'm1'}); whyleft.flush()")
    await page.evaluate(
        """const loop = {}; loop.self = loop; whyleft.track('x', loop); whyleft.track();
        whyleft.identify(); whyleft.consent(); whyleft.q.push(); whyleft.q.push(['nothing']); whyleft.purchased(null)"""
    )
    await site.heard(lambda: [line for line in lines if line.startswith("whyleft")])
    await page.evaluate("dispatchEvent(new Event('online')); whyleft.flush()")
    await asyncio.sleep(0.3)
    assert len([line for line in lines if line.startswith("whyleft: events refused (no answer)")]) == 1
    kept = await page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('whyleftqueue')).length")
    assert kept > 0 and await page.evaluate("troubles") == []


async def test_a_queued_call_that_is_none_is_named_and_the_others_are_made(site: Site, page: Page) -> None:
    site.pages["/"] = f"<!doctype html><script>window.whyleft = {{q: [['productVeiwed'], ['cartAdded']]}}</script>{TAG}"
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    await page.goto(site.origin)
    await page.evaluate("whyleft.q.push(['productVeiwed']); whyleft.q.push(['searched'])")
    await site.one("cart_added")
    await site.one("searched")
    assert lines == ["whyleft: no method productVeiwed"]


async def test_missing_chunks_throw_nothing_into_the_page(site: Site, page: Page) -> None:
    await page.route("**/whyleft-*.js", lambda route: route.abort())
    site.action = ACTION
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    await site.one("searched")
    assert await page.evaluate("troubles") == []


async def test_frozen_globals_throw_nothing_into_the_page(site: Site, page: Page) -> None:
    await page.add_init_script(LISTEN + "Object.freeze(XMLHttpRequest.prototype); Object.freeze(history);")
    await page.goto(site.origin)
    await page.evaluate("history.pushState({}, '', '/mug')")
    await site.heard(lambda: len(site.events("page_viewed")) == 2)
    assert await page.evaluate("troubles") == []


async def test_a_second_copy_of_the_tag_counts_nothing_twice(site: Site, page: Page) -> None:
    site.pages["/"] = f"<!doctype html>{TAG}{TAG}"
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    await site.one("searched")
    assert len(site.events("page_viewed")) == 1


async def test_a_frame_that_is_ready_before_its_page_is_part_of_the_page(site: Site, page: Page) -> None:
    late = asyncio.Event()

    async def hold(route: Route) -> None:
        await late.wait()
        await route.continue_()

    await page.route("**/sdk/whyleft.js?page", hold)
    site.pages["/"] = (
        "<!doctype html><script>window.whyleft = {q: []}</script>"
        + TAG.replace("<script", "<script async").replace("whyleft.js", "whyleft.js?page")
        + "<iframe src=/inner></iframe>"
    )
    site.pages["/inner"] = f"<!doctype html>{TAG}<script>whyleft.q.push(['searched', {{query: 'mug'}}])</script>"
    await page.goto(site.origin, wait_until="commit")
    frame = None
    while frame is None:
        frame = page.frame(url="**/inner")
        await asyncio.sleep(0.02)
    await frame.wait_for_load_state()
    late.set()
    await site.one("searched")
    assert [event["props"]["path"] for event in site.events("page_viewed")] == ["/"]
