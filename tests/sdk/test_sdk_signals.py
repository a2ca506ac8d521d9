"""What behaviour becomes a signal, and what does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page

from tests.sdk.site import TAG, Site

pytestmark = pytest.mark.browser


async def opened(site: Site, page: Page, body: str) -> None:
    """A page with this body, and the signals watching."""
    site.pages["/"] = f"<!doctype html>{TAG}{body}"
    async with page.expect_response("**/whyleft-signals.js"):
        await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate("new Promise(done => setTimeout(done, 100))")


async def all_events(site: Site, page: Page) -> list[dict[str, Any]]:
    """Everything the page had to say, until it was left."""
    await page.goto("about:blank")
    await site.one("session_ended")
    return site.events()


@pytest.mark.parametrize("way", ["fetch", "xhr"])
async def test_a_failing_request_is_reported_without_its_query(site: Site, page: Page, way: str) -> None:
    await page.goto(site.origin)
    call = {
        "fetch": "fetch('/api/cart/500?token=secret', {method: 'post'})",
        "xhr": "(x => { x.open('post', '/api/cart/500?token=secret'); x.send(); })(new XMLHttpRequest())",
    }[way]
    await page.evaluate(f"void {call}")
    props = (await site.one("request_failed"))["props"]
    assert (props["method"], props["path"], props["status"]) == ("POST", "/api/cart/500", 500)


async def test_only_buying_makes_a_4xx_a_failure(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await page.evaluate(
        "Promise.all(['/api/reviews/404', '/api/checkout/409', '/api/cart/200'].map(path => fetch(path)))"
    )
    await page.evaluate(
        """() => { const stop = new AbortController(), gone = fetch('/api/cart/200', {signal: stop.signal});
            stop.abort(); return gone.catch(() => 0); }"""
    )
    await site.one("request_failed")
    await page.goto("about:blank")
    assert [event["props"]["path"] for event in site.events("request_failed")] == ["/api/checkout/409"]


async def test_a_server_out_of_reach_has_status_zero(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await page.evaluate("fetch('http://127.0.0.1:1/cart').catch(() => 0)")
    props = (await site.one("request_failed"))["props"]
    assert (props["status"], props["path"]) == (0, "http://127.0.0.1:1/cart")


async def test_script_errors_are_reported_a_few_times_each(site: Site, page: Page) -> None:
    await opened(site, page, "")
    await page.evaluate("for (let n = 0; n < 9; n++) setTimeout(() => { throw new Error('no cart') })")
    await page.evaluate("void Promise.reject(new Error('no price'))")
    events = [event["props"]["message"] for event in await all_events(site, page) if event["type"] == "js_error"]
    assert events == ["Uncaught Error: no cart"] * 5 + ["no price"]


async def test_a_click_is_described_without_what_was_typed(site: Site, page: Page) -> None:
    await opened(
        site, page, "<a href='#x?secret' id=more>More mugs</a><button data-whyleft-mask>Ann</button><input value=typed>"
    )
    await page.click("#more")
    await page.click("button")
    await page.click("input")
    events = await all_events(site, page)
    clicked = [event["props"] for event in events if event["type"] == "clicked"]
    assert (clicked[0]["selector"], clicked[0]["label"]) == ("#more", "More mugs")
    assert "Ann" not in str(events) and "typed" not in str(events) and "secret" not in str(events)


async def test_three_angry_clicks_are_one_signal(site: Site, page: Page) -> None:
    await opened(site, page, "<button id=buy>Buy</button>")
    for _ in range(4):
        await page.click("#buy")
    assert len([event for event in await all_events(site, page) if event["type"] == "rage_click"]) == 1


@pytest.mark.parametrize(
    "control",
    [
        "<button id=c>+</button>",
        "<button id=c>−</button>",
        "<button id=c aria-label='Increase quantity'></button>",
        "<button id=c class=qty-up>more</button>",
        "<button id=c>Next</button>",
        "<input id=c type=number>",
        "<textarea id=c></textarea>",
        "<video id=c controls width=200 height=100></video>",
    ],
)
async def test_fast_clicks_that_are_meant_are_not_angry(site: Site, page: Page, control: str) -> None:
    await opened(site, page, control)
    for _ in range(5):
        await page.click("#c")
    assert not [event for event in await all_events(site, page) if event["type"] == "rage_click"]


@pytest.mark.parametrize(
    "control",
    [
        "<form onsubmit='return false'><input id=c type=submit value='Pay now'></form>",
        "<div class=checkout-steps><button id=c>Pay now</button></div>",
        "<button id=c>Next day delivery</button>",
    ],
)
async def test_angry_clicks_where_it_costs_a_sale_are_seen(site: Site, page: Page, control: str) -> None:
    await opened(site, page, control)
    for _ in range(4):
        await page.click("#c")
    assert [event for event in await all_events(site, page) if event["type"] == "rage_click"]


async def test_a_button_that_does_nothing_is_dead(site: Site, page: Page) -> None:
    await opened(site, page, "<button id=buy>Buy</button>")
    await page.click("#buy")
    assert (await site.one("dead_click"))["props"]["selector"] == "#buy"


@pytest.mark.parametrize(
    "control",
    [
        "<button id=c onclick='this.textContent = 1'>menu</button>",
        "<button id=c onmousedown='document.title = Math.random()'>menu</button>",
        "<a id=c href='data:text/plain,x' download=x>file</a>",
        "<a id=c href='about:blank' target=_blank>tab</a>",
        "<button id=c onclick='document.querySelector(\"input\").value++'>+</button><input type=number value=1>",
        "<button id=c onclick='window.scrollTo(0, 500)'>down</button><p style='height: 3000px'>",
    ],
)
async def test_a_click_that_did_something_is_not_dead(site: Site, page: Page, control: str) -> None:
    await opened(site, page, control)
    await page.click("#c")
    await asyncio.sleep(2.8)
    assert not [event for event in await all_events(site, page) if event["type"] == "dead_click"]


async def test_leaving_over_the_top_is_an_exit_intent(site: Site, page: Page) -> None:
    await opened(site, page, "<h1>Mug</h1>")
    await page.evaluate("document.dispatchEvent(new MouseEvent('mouseout', {clientY: 2, bubbles: true}))")
    assert (await site.one("exit_intent"))["props"] == {"kind": "pointer"}


async def test_a_form_left_behind_is_told_by_its_fields_never_their_values(site: Site, page: Page) -> None:
    await opened(site, page, "<form id=pay><input name=card id=card><input name=cvc></form>")
    await page.fill("#card", "4111111111111111")
    events = await all_events(site, page)
    left = next(event["props"] for event in events if event["type"] == "form_abandoned")
    assert left == {"form": "pay", "filled": 1, "fields": 2, "last_field": "card"}
    assert "4111" not in str(events)


async def test_a_number_is_used_once_even_when_a_form_is_left_behind(site: Site, page: Page) -> None:
    await opened(site, page, "<form id=pay><input name=card id=card></form>")
    await page.fill("#card", "1")
    await page.goto(site.origin + "/next")
    await site.heard(lambda: len(site.events("page_viewed")) == 2)
    numbers = [event["seq"] for event in site.events()]
    assert len(numbers) == len(set(numbers))


async def test_resting_on_a_price_is_hesitation(site: Site, page: Page) -> None:
    await opened(site, page, "<b data-price>24</b>")
    await page.hover("b")
    props = (await site.one("hover_hesitation"))["props"]
    assert props["section"] == "price" and props["ms"] >= 2000
