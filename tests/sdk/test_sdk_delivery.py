"""What was seen arrives: through navigation, a killed tab, a server that is away, events that are large."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser import PERSON
from tests.sdk.site import TAG, Site

pytestmark = pytest.mark.browser

THIRTY = "for (let n = 0; n < 30; n++) whyleft.track('searched', {query: 'x'.repeat(%d), results: n});"
# Headless tabs are never in the background: what the page sees of being hidden is played, what happens next is real.
HIDE = """Object.defineProperty(document, 'hidden', {value: true, configurable: true});
Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
document.dispatchEvent(new Event('visibilitychange', {bubbles: true}));"""


def numbers(site: Site) -> list[int]:
    return sorted(event["props"]["results"] for event in site.events("searched"))


async def kill(page: Page) -> None:
    """Takes the page's process away, as a phone does with a tab in the background: no handler hears of it."""
    session = await page.context.new_cdp_session(page)
    crashed = asyncio.get_running_loop().create_future()
    page.once("crash", lambda _: crashed.set_result(None))
    # Nobody is left to answer this command.
    command = asyncio.ensure_future(session.send("Page.crash"))
    await asyncio.wait_for(crashed, 10)
    command.cancel()


@pytest.fixture
async def doomed(browser: Browser) -> BrowserContext:
    """A visitor in a browser of their own, whose pages may be killed."""
    return await browser.new_context(user_agent=PERSON)


@pytest.mark.parametrize("size", [1000, 3000])
async def test_thirty_events_arrive_when_the_page_navigates_away(site: Site, page: Page, size: int) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate(THIRTY % size + "location.href = '/next'")
    await site.viewed("/next")
    await site.heard(lambda: numbers(site) == list(range(30)))
    assert len(site.attempts) <= 1 + 3 + 1


@pytest.mark.parametrize("size", [1000, 3000])
async def test_thirty_events_arrive_when_a_hidden_tab_is_killed(site: Site, doomed: BrowserContext, size: int) -> None:
    page = await doomed.new_page()
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate(THIRTY % size + HIDE)
    await asyncio.sleep(0.1)
    await kill(page)
    # What the browser could not take with it is sent by the visitor's next page.
    if size > 1000:
        await (await doomed.new_page()).goto(site.origin + "/next")
    await site.heard(lambda: numbers(site) == list(range(30)))


async def test_a_server_that_is_away_is_asked_again_and_told_everything(site: Site, page: Page) -> None:
    site.status, site.retry_after = 503, "1"
    await page.goto(site.origin)
    await site.heard(lambda: site.attempts)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    site.status = 200
    await site.one("searched")
    assert site.attempts[0][2]["events"][0]["id"] == site.events("page_viewed")[0]["id"]


async def test_a_clock_that_is_set_back_after_a_failure_delays_nothing(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    # What is stored has been looked for by then.
    await page.evaluate("new Promise(done => setTimeout(done, 1100))")
    site.status, site.retry_after = 503, "1"
    await page.evaluate("whyleft.cartAdded({product_id: 'm1'})")
    await site.heard(lambda: len(site.attempts) > 1)
    site.status = 200
    await site.one("cart_added")
    # As when the network is back and with it the time.
    await page.evaluate("const right = Date.now; Date.now = () => right() - 5 * 3600e3")
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    await site.one("searched")


async def test_a_clock_that_was_ahead_leaves_one_visit_and_not_one_for_each_batch(
    site: Site, visitor: BrowserContext
) -> None:
    early = await visitor.new_page()
    await early.add_init_script("const right = Date.now; Date.now = () => right() + 5 * 3600e3")
    await early.goto(site.origin)
    await site.one("page_viewed")
    await early.goto("about:blank")
    page = await visitor.new_page()
    await page.goto(site.origin + "/right")
    await site.viewed("/right")
    for _ in range(3):
        async with page.expect_response("**/v1/events**"):
            await page.evaluate("whyleft.searched({query: 'mug'}); whyleft.flush()")
    assert len({batch["session"] for batch in site.batches if batch["page"]["url"].endswith("/right")}) == 1


async def test_the_next_page_sends_what_a_failing_server_did_not_take(site: Site, page: Page) -> None:
    site.status = 503
    await page.goto(site.origin)
    await site.heard(lambda: site.attempts)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    await page.goto("about:blank")
    site.status = 200
    await page.goto(site.origin + "/next")
    assert (await site.one("searched"))["props"] == {"query": "mug"}


async def test_a_hidden_tab_loses_nothing_to_a_failing_server(site: Site, doomed: BrowserContext) -> None:
    site.status = 503
    page = await doomed.new_page()
    await page.goto(site.origin)
    await site.heard(lambda: site.attempts)
    await page.evaluate("whyleft.track('searched', {query: 'mug'});" + HIDE)
    await asyncio.sleep(0.1)
    await kill(page)
    site.status = 200
    await (await doomed.new_page()).goto(site.origin + "/next")
    assert (await site.one("searched"))["props"] == {"query": "mug"}


async def test_letters_of_several_bytes_do_not_outgrow_a_request(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate("for (let n = 0; n < 30; n++) whyleft.track('searched', {query: 'ж'.repeat(1800), results: n})")
    await site.heard(lambda: numbers(site) == list(range(30)))


async def test_half_a_character_is_replaced_and_takes_nothing_with_it(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    # What is left of an emoji when a text is cut: half of it, which is no valid text for a database.
    await page.evaluate("whyleft.track('searched', {query: '☕🙂'.slice(0, 2), results: 1})")
    assert (await site.one("searched"))["props"] == {"query": "☕\ufffd", "results": 1}


async def test_an_event_too_large_to_survive_the_page_does_not_hold_up_the_others(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate("whyleft.track('custom', {props: {list: Array(20).fill('x'.repeat(4000))}})")
    await page.evaluate("whyleft.flush(); whyleft.track('purchased', {order_id: 'o1'})")
    await site.one("purchased")


async def test_a_refused_key_costs_one_line_in_the_console(site: Site, page: Page) -> None:
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    site.status = 401
    await page.goto(site.origin)
    await site.heard(lambda: [line for line in lines if line.startswith("whyleft")])
    for _ in range(3):
        before = len(site.attempts)
        await page.evaluate("whyleft.cartAdded({product_id: 'm1'})")
        await asyncio.sleep(0.2)
        assert len(site.attempts) <= before + 1
    assert len([line for line in lines if line.startswith("whyleft")]) == 1


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_what_was_due_before_a_refusal_waits_like_the_rest(site: Site, page: Page, status: int) -> None:
    # The event is told while the page view is under way, and would leave a second and a half later.
    site.status, site.retry_after = status, "300" if status == 503 else ""
    site.pages["/"] = f"<!doctype html>{TAG}<script>setTimeout(() => whyleft.searched({{query: 'mug'}}))</script>"
    await page.goto(site.origin)
    await site.heard(lambda: site.attempts)
    await page.evaluate("new Promise(done => setTimeout(done, 1600)).then(() => fetch('/api/200'))")
    assert [event["type"] for _, _, batch in site.attempts for event in batch["events"]] == ["page_viewed"]


async def test_blocked_storage_stops_nothing(site: Site, page: Page) -> None:
    await page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        "Object.defineProperty(window, name, {get() { throw new DOMException('blocked', 'SecurityError'); }})"
    )
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    await site.one("searched")
    assert len({batch["session"] for batch in site.batches}) == 1


async def test_the_last_tab_to_close_ends_the_visit(site: Site, visitor: BrowserContext) -> None:
    tabs = [await visitor.new_page() for _ in range(2)]
    for path, tab in zip(("/one", "/two"), tabs, strict=True):
        await tab.goto(site.origin + path)
        await site.viewed(path)
    await tabs[0].close(run_before_unload=True)
    await tabs[1].evaluate("new Promise(done => setTimeout(done, 200))")
    assert not site.events("session_ended")
    await tabs[1].close(run_before_unload=True)
    assert (await site.one("session_ended"))["props"] == {"reason": "closed"}


async def test_a_page_of_the_same_shop_is_not_the_end(site: Site, page: Page) -> None:
    site.pages["/"] = '<!doctype html><script src="/sdk/whyleft.js" data-key="k"></script><a href="/next">next</a>'
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.click("a")
    await site.heard(lambda: len(site.events("page_viewed")) == 2)
    assert not site.events("session_ended")
