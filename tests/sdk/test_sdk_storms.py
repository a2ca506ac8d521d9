"""What was seen arrives when the browser is against it: no network, no room, no beacons, a page that comes back."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import BrowserContext, Page, Route, async_playwright

from tests.browser import ARGUMENTS, PERSON, chromium_path
from tests.sdk.site import TAG, Site
from tests.sdk.test_sdk_delivery import HIDE, THIRTY, numbers

pytestmark = pytest.mark.browser

NO_BEACONS = "Navigator.prototype.sendBeacon = () => false;"
NO_KEEPALIVE = """const original = fetch;
window.fetch = (input, init) => init?.keepalive ? Promise.reject(new TypeError('no')) : original(input, init);"""


async def test_what_happens_without_a_network_is_told_when_it_is_back(
    site: Site, visitor: BrowserContext, page: Page
) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await visitor.set_offline(True)
    await page.evaluate(THIRTY % 1000 + "whyleft.cartAdded({product_id: 'm1'})")
    await asyncio.sleep(0.1)
    assert not numbers(site)
    await visitor.set_offline(False)
    await site.heard(lambda: numbers(site) == list(range(30)))
    await site.one("cart_added")


async def test_a_tab_closed_without_a_network_is_told_by_the_next_visit(
    site: Site, visitor: BrowserContext, page: Page
) -> None:
    other = await visitor.new_page()
    await page.goto(site.origin)
    await site.one("page_viewed")
    await visitor.set_offline(True)
    await page.evaluate(THIRTY % 1000)
    async with page.expect_event("close"):
        await page.close(run_before_unload=True)
    await visitor.set_offline(False)
    await other.goto(site.origin + "/later")
    await site.heard(lambda: numbers(site) == list(range(30)))


@pytest.mark.parametrize("refusal", [NO_BEACONS, NO_BEACONS + NO_KEEPALIVE, "delete Navigator.prototype.sendBeacon;"])
async def test_refused_beacons_are_made_up_for(site: Site, page: Page, refusal: str) -> None:
    await page.add_init_script(f"if (location.pathname === '/') {{ {refusal} }}")
    await page.goto(site.origin)
    await page.evaluate(THIRTY % 3000 + "location.href = '/next'")
    await site.viewed("/next")
    await site.heard(lambda: numbers(site) == list(range(30)))


async def test_what_may_outlive_the_page_stays_within_the_ledger(site: Site, page: Page) -> None:
    """Nobody answers, so that all that was handed over is still under way when the page goes."""
    await page.add_init_script(
        """window.carried = [];
        const size = (body) => new Blob([body]).size;
        window.fetch = (input, {keepalive, body}) => new Promise(() => keepalive && carried.push(size(body)));
        Navigator.prototype.sendBeacon = (input, body) => !!carried.push(size(body));"""
    )
    await page.goto(site.origin)
    # Twice hidden, then left: each hands over what it may, and the first batch is under way since the page began.
    await page.evaluate(THIRTY % 500 + HIDE + THIRTY % 1500 + HIDE)
    await page.evaluate(THIRTY % 4000 + "dispatchEvent(new PageTransitionEvent('pagehide'))")
    carried: list[int] = await page.evaluate("carried")
    assert 2 <= len(carried) <= 9 and 30_000 < sum(carried) <= 60_000
    kept = await page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('whyleftqueue')).length")
    assert kept > 0


async def test_ten_small_requests_are_nine_and_a_wait(site: Site, page: Page) -> None:
    await page.add_init_script(
        """window.carried = 0;
        window.fetch = (input, init) => { carried += init.keepalive; return new Promise(() => 0); };
        Navigator.prototype.sendBeacon = () => !!++carried;"""
    )
    await page.goto(site.origin)
    for _ in range(15):
        await page.evaluate("whyleft.track('searched', {query: 'mug'});" + HIDE)
    assert await page.evaluate("carried") == 9


async def test_a_full_storage_loses_nothing_of_the_shop_and_stops_nothing(site: Site, page: Page) -> None:
    await page.add_init_script(
        """try { let size = 1 << 22; localStorage.cart = 'mine';
            for (let n = 0; size > 8; n++) try { localStorage['fill' + n] = 'x'.repeat(size); } catch { size >>= 1; }
        } catch {}"""
    )
    await page.goto(site.origin)
    await page.evaluate(THIRTY % 1000 + "location.href = '/next'")
    await site.viewed("/next")
    await site.heard(lambda: numbers(site) == list(range(30)))
    assert await page.evaluate("localStorage.cart") == "mine"


async def test_a_storage_of_nonsense_is_survived(site: Site, page: Page) -> None:
    await page.add_init_script(
        """for (const name of ['', 'queue', 'gone', 'tab', 'trail'])
            for (const store of [localStorage, sessionStorage]) store['whyleft' + name] = '[[1,{"h":7}],null,"x"';
        for (const [n, text] of ['null', '{"h":5,"e":"no"}', '7', '{"h":"x","e":[]}', '{"e":["1234567"]}'].entries())
            localStorage['whyleftqueue' + n] = text;
        localStorage.whyleftqueue = '{"h":5,"e":["{}"]}'; localStorage.whyleft = '"text"';
        sessionStorage.whylefttab = '7';"""
    )
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    event = await site.one("searched")
    assert UUID(event["id"]).version == 7
    await asyncio.sleep(1.2)
    await page.evaluate("whyleft.cartAdded({product_id: 'm1'})")
    await site.one("cart_added")


TAKEN = (
    '{"v":"123","s":"abc","a":%d}',
    '{"v":{"x":1},"s":[1],"a":%d}',
    '{"c":"","a":%d}',
    '{"c":0}',
    '{"t":7,"s":null}',
)


@pytest.mark.parametrize("taken", TAKEN)
async def test_a_name_that_somebody_else_took_silences_nothing(site: Site, page: Page, taken: str) -> None:
    """``whyleft`` is a short name: what is stored under it may be JSON of the shop's own."""
    text = taken.replace("%d", str(int(time.time() * 1000)))
    site.pages["/"] = f"<!doctype html><script>localStorage.whyleft = {json.dumps(text)}</script>{TAG}"
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.goto(site.origin + "/next")
    await site.viewed("/next")
    assert {UUID(batch["visitor"]).version for batch in site.batches} == {7}
    assert len({(batch["visitor"], batch["session"]) for batch in site.batches}) == 1


@pytest.mark.parametrize("head", [{"h": 5, "n": 9}, {"h": "x"}])
async def test_a_kept_batch_that_is_none_holds_up_no_other(site: Site, page: Page, head: dict[str, Any]) -> None:
    first = "01890a5d-ac96-774b-bcce-b302099a8057"
    batch = json.dumps({**head, "e": [json.dumps({"id": first}, separators=(",", ":"))]})
    site.pages["/"] = f"<!doctype html><script>localStorage['whyleftqueue{first}'] = {json.dumps(batch)}</script>{TAG}"
    await page.goto(site.origin)
    await asyncio.sleep(1.2)
    await page.evaluate("whyleft.cartAdded({product_id: 'm1'})")
    await site.one("cart_added")


@pytest.mark.parametrize("readable", [True, False])
async def test_what_is_too_large_for_a_proxy_arrives_in_parts(site: Site, page: Page, readable: bool) -> None:
    refused = 0

    async def narrow(route: Route) -> None:
        nonlocal refused
        if len(route.request.post_data_buffer or b"") <= 8192:
            await route.continue_()
        elif readable:
            refused += 1
            await route.fulfill(status=413, body="<h1>413 Request Entity Too Large</h1>")
        else:
            await route.abort("connectionreset")

    await page.route("**/v1/events*", narrow)
    await page.goto(site.origin)
    await site.one("page_viewed")
    # The network is back, again and again: what waits does not wait longer.
    await page.evaluate("setInterval(() => dispatchEvent(new Event('online')), 300)" if not readable else "0")
    await page.evaluate(THIRTY % 1000)
    await site.heard(lambda: numbers(site) == list(range(30)))
    if readable:
        before = refused
        await page.evaluate(THIRTY.replace("results: n", "results: n + 30") % 1000)
        await site.heard(lambda: numbers(site) == list(range(60)))
        # It knows by now how much gets through.
        assert before and refused == before
    # Their copies stay until the page has read the answer.
    await page.wait_for_function("!Object.keys(localStorage).some(name => name.startsWith('whyleftqueue'))")


async def test_no_more_than_half_a_megabyte_is_kept_and_the_newest_wins(site: Site, page: Page) -> None:
    site.status = 503
    await page.goto(site.origin)
    await site.heard(lambda: site.attempts)
    await page.evaluate(
        "for (let n = 0; n < 1500; n++) whyleft.track('searched', {query: 'x'.repeat(1000), results: n});" + HIDE
    )
    kept = await page.evaluate(
        "Object.keys(localStorage).sort().filter(n => n.startsWith('whyleftqueue')).map(n => localStorage[n])"
    )
    assert 400_000 < sum(map(len, kept)) <= 540_000
    assert "results\\u0022:1499}" in kept[-1]


async def test_tabs_that_keep_at_once_lose_nothing_of_each_other(site: Site, visitor: BrowserContext) -> None:
    site.status = 503
    tabs = [await visitor.new_page() for _ in range(6)]
    await asyncio.gather(*(tab.goto(f"{site.origin}/{number}") for number, tab in enumerate(tabs)))
    # Each has heard that the server takes nothing, and keeps its page view.
    await tabs[0].wait_for_function(
        "Object.keys(localStorage).filter(name => name.startsWith('whyleftqueue')).length >= 6"
    )
    await asyncio.gather(
        *(
            tab.evaluate(
                f"for (let n = 0; n < 5; n++) whyleft.track('searched', {{results: {number} * 5 + n}});" + HIDE
            )
            for number, tab in enumerate(tabs)
        )
    )
    # A browser takes its time to show one tab what another stored.
    await tabs[0].wait_for_function("JSON.stringify({...localStorage}).match(/results[^:]*:[0-9]/g)?.length >= 30")
    await asyncio.gather(*(tab.goto("about:blank") for tab in tabs))
    site.status = 200
    await tabs[0].goto(site.origin + "/later")
    await site.heard(lambda: numbers(site) == list(range(30)))


async def test_an_event_too_large_for_any_beacon_is_sent_by_the_next_page(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate(
        "whyleft.track('searched', {query: 'x'.repeat(90000)}); whyleft.track('reviews_viewed', {product_id: 'm1'});"
        "location.href = '/next'"
    )
    await site.viewed("/next")
    await site.one("reviews_viewed")
    assert len((await site.one("searched"))["props"]["query"]) == 90_000


async def test_a_server_that_drops_connections_is_asked_again(site: Site, page: Page) -> None:
    cut = 2

    async def interfere(route: object) -> None:
        nonlocal cut
        cut -= 1
        await (route.abort("connectionreset") if cut >= 0 else route.continue_())  # type: ignore[attr-defined]

    await page.route("**/v1/events*", interfere)
    await page.add_init_script("Math.random = () => 0;")
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.evaluate("setTimeout(() => dispatchEvent(new Event('online')), 200)")
    await site.one("searched")
    assert len({event["id"] for event in site.events()}) == len(site.events())


@pytest.mark.parametrize("years", [-15, 30])
async def test_a_clock_that_is_years_off_loses_nothing(site: Site, page: Page, years: int) -> None:
    await page.add_init_script(
        f"const real = Date.now, off = {years} * 31557600000; Date.now = () => real() + off;"
        "const Real = Date; Date = class extends Real {"
        " constructor(...a) { a.length ? super(...a) : super(real() + off); } };"
    )
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    event = await site.one("searched")
    batch = site.batches[0]
    sent = batch["sent_at"]
    # Ids carry a time of our century, and each event is as old against sent_at as it really is.
    assert 1.7e12 < int(batch["session"].replace("-", "")[:12], 16) < 2.2e12
    assert 0 <= sent - site.events("page_viewed")[0]["t"] < 60_000
    assert UUID(event["id"]).version == 7


async def test_a_page_that_comes_back_is_seen_again_with_numbers_of_its_own(site: Site) -> None:
    site.pages["/"] = f"<!doctype html><title>Shop</title>{TAG}<a href='/next'>next</a>"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
        )
        page = await (await browser.new_context(user_agent=PERSON)).new_page()
        await page.add_init_script("addEventListener('pageshow', event => { window.restored = event.persisted; })")
        await page.goto(site.origin)
        await site.one("page_viewed")
        await page.evaluate("window.alive = true")
        await page.click("a")
        await site.viewed("/next")
        await page.go_back(wait_until="commit")
        assert await page.evaluate("[window.restored, window.alive]") == [True, True]
        # Straight back is told whether the page was loaded anew or came back as it was.
        assert (await site.one("quick_back"))["props"]["from"] == "/next"
        await browser.close()
    views = [event["props"]["path"] for event in site.events("page_viewed")]
    assert views == ["/", "/next", "/"]
    used = [(batch["tab"], event["seq"]) for batch in site.batches for event in batch["events"]]
    assert len(used) == len(set(used)) == 5


@pytest.mark.parametrize(
    "second", [TAG, TAG.replace("wl_w_test", "wl_w_other"), TAG.replace("<script", "<script async")]
)
async def test_two_copies_of_the_snippet_are_one(site: Site, page: Page, second: str) -> None:
    site.pages["/"] = f"<!doctype html>{TAG}{second}"
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'})")
    await site.one("searched")
    assert len(site.events("page_viewed")) == 1
    assert {path.partition("&")[0] for path, _, _ in site.attempts} == {"/v1/events?key=wl_w_test"}


async def test_a_missing_key_costs_one_line_and_the_page_still_works(site: Site, page: Page) -> None:
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    site.pages["/"] = "<!doctype html><script src=/sdk/whyleft.js></script>"
    await page.add_init_script("window.whyleft = {q: []}; window.thrown = []; onerror = m => thrown.push(m)")
    await page.goto(site.origin)
    await page.evaluate("whyleft.q.push(['track', 'searched', {query: 'mug'}])")
    assert [line for line in lines if "data-key" in line] and len(lines) == 1
    assert await page.evaluate("thrown") == [] and not site.attempts


async def test_thirty_events_of_a_hidden_page_are_three_requests_at_most(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    before = len(site.attempts)
    await page.evaluate(THIRTY % 3000 + HIDE)
    await site.heard(lambda: numbers(site) == list(range(30)))
    assert len(site.attempts) - before <= 3
