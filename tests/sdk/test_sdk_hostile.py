"""Pages that froze, replaced or removed what the SDK stands on: it works, and throws nothing into them."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import BrowserContext, Page, Route

from tests.sdk.site import TAG, Site
from tests.sdk.templates import ACTIONS
from tests.sdk.test_sdk_corpus import WATCHING
from tests.sdk.test_sdk_guest import LISTEN
from tests.sdk.test_sdk_templates import SHOW

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]

HOSTILE = {
    "frozen prototypes": """for (const owner of [Object, Array, Function, Promise, EventTarget, Node, Element,
        HTMLElement, Event, Window, Storage, Navigator, XMLHttpRequest, Map, String, Number, Date, RegExp])
        Object.freeze(owner.prototype), Object.freeze(owner);""",
    "a fetch that cannot be replaced": "Object.defineProperty(window, 'fetch', {value: fetch, writable: false});",
    "another JSON": "JSON.stringify = () => '\"mine\"'; JSON.parse = () => { throw new Error('mine'); };",
    "a frozen JSON": "Object.freeze(JSON);",
    "arrays that know toJSON": "Array.prototype.toJSON = function () { return 'list'; };",
    "prototypes with more on them": """Object.prototype.extra = function () {}; Array.prototype.last = function () {};
        String.prototype.trim = function () { return String(this); };""",
    "another Promise": """window.Promise = class extends Promise {};""",
    "timers in a zone": """const later = setTimeout;
        window.setTimeout = (fn, ms, ...rest) => later(() => { window.zone = true; fn(...rest); }, ms);""",
    "no console": "window.console = undefined;",
    "a console that throws": "console.warn = () => { throw new Error('no'); };",
    "no crypto.randomUUID": "delete Crypto.prototype.randomUUID;",
    "an older browser": """for (const [owner, name] of [[window, 'navigation'], [window, 'requestIdleCallback'],
        [window, 'IntersectionObserver'], [window, 'PerformanceObserver'], [AbortSignal, 'timeout'],
        [Navigator.prototype, 'sendBeacon'], [Request.prototype, 'keepalive'], [Array.prototype, 'at'],
        [Object, 'hasOwn'], [window, 'structuredClone']]) try { delete owner[name]; } catch {}
        if (window.navigation) Object.defineProperty(window, 'navigation', {value: undefined});""",
    "clicks that nobody else may hear": """for (const type of ['pointerdown', 'click', 'focusin', 'input'])
        document.addEventListener(type, event => event.stopImmediatePropagation(), true);""",
    "no observers": "window.MutationObserver = window.ResizeObserver = undefined;",
    "another define": """window.define = () => { throw 1; }; define.amd = {};
        window.exports = (window.module = {}).exports = {};""",
    "a whyleft of its own": "window.whyleft = {q: [['track', 'early', {}]], mine: 7};",
    "a name of its own": "window.core = window.track = window.listen = window.e = 'mine';",
}


async def troubles(page: Page) -> list[str]:
    found: list[str] = await page.evaluate("troubles")
    return found


async def suffer(site: Site, visitor: BrowserContext, hostility: str, path: str) -> list[str]:
    """What went wrong on a page with this hostility."""
    site.pages[path] = (
        f"<!doctype html>{TAG}<form id=f><input name=n></form><button id=c onclick='this.after(1)'>Buy</button>"
    )
    page = await visitor.new_page()
    await page.add_init_script(LISTEN + HOSTILE[hostility])
    await page.goto(site.origin + path)
    await page.evaluate(WATCHING)
    await page.click("#c")
    await page.fill("[name=n]", "x")
    await page.evaluate(f"whyleft.track('searched', {{query: '{path}', list: [1, {{a: [2]}}]}})")
    # A route is seen once its router had a turn: timers of one length come in turn, the SDK's before this one.
    await page.evaluate(f"history.pushState({{}}, '', '{path}/route'); new Promise(done => setTimeout(done))")
    await page.goto(f"{site.origin}{path}/next")
    return await troubles(page)


async def test_hostile_pages_are_served_and_nothing_is_thrown_into_them(site: Site, visitor: BrowserContext) -> None:
    paths = {hostility: f"/page/{number}" for number, hostility in enumerate(HOSTILE)}
    found = await asyncio.gather(*(suffer(site, visitor, hostility, path) for hostility, path in paths.items()))
    assert dict(zip(HOSTILE, found, strict=True)) == {hostility: [] for hostility in HOSTILE}

    def missing() -> dict[str, set[str]]:
        views = {event["props"]["path"] for event in site.events("page_viewed")}
        searched = [event["props"] for event in site.events("searched")]
        clicks = {batch["page"]["url"] for batch in site.batches for e in batch["events"] if e["type"] == "clicked"}
        wanted = {
            hostility: {"page", "route", "next", "search", "click"}
            - ({"page"} if path in views else set())
            - ({"route"} if path + "/route" in views else set())
            - ({"next"} if path + "/next" in views else set())
            - ({"search"} if {"query": path, "list": [1, {"a": [2]}]} in searched else set())
            - ({"click"} if site.origin + path in clicks else set())
            for hostility, path in paths.items()
        }
        return {hostility: lacks for hostility, lacks in wanted.items() if lacks}

    for _ in range(200):
        if not missing():
            break
        await asyncio.sleep(0.05)
    assert missing() == {}


async def test_strict_policies_hold_with_every_template_and_every_signal(site: Site, page: Page) -> None:
    policy = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    site.headers = {"Content-Security-Policy": policy}
    site.script = LISTEN + "addEventListener('load', () => { c.onclick = () => c.after('ok'); });"
    site.pages["/"] = (
        f"<!doctype html><script src=/page.js></script>{TAG}"
        "<form id=f action=/next><input name=n><button>Go</button></form>"
        "<section data-section=s><h2 id=h>Head</h2><b data-price>3</b><button id=c data-cta>Buy</button></section>"
    )
    site.action = ACTIONS["card"]
    await page.route("**/pictures/*", lambda route: route.fulfill(body="<svg xmlns='http://www.w3.org/2000/svg'/>"))
    await page.goto(site.origin)
    await page.wait_for_selector("whyleft-action .card")
    await page.evaluate("document.querySelector('whyleft-action').shadowRoot.querySelector('.close').click()")
    for action in ACTIONS.values():
        await page.evaluate(SHOW, action)
    await page.evaluate("document.querySelector('whyleft-action').remove()")
    await page.click("#c")
    await page.fill("[name=n]", "x")
    await page.hover("b")
    await page.evaluate("fetch('/api/cart/500'); scrollTo(0, 10); getSelection().selectAllChildren(h)")
    await asyncio.sleep(0.7)
    assert await troubles(page) == []
    await site.one("action_dismissed")


async def test_the_chunks_come_from_beside_the_script_whatever_its_host_is_called(site: Site, page: Page) -> None:
    host = site.origin.replace("127.0.0.1", "cdn.jsdelivr.localhost")
    site.pages["/"] = (
        f'<!doctype html><script src="{host}/sdk/whyleft.js?v=2" data-key=k data-endpoint="{site.origin}/"></script>'
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(site.origin)
    await page.wait_for_function("!!window.whyleft.push")
    await site.one("page_viewed")
    assert [url for url in asked if url.startswith(f"{site.origin}/v1/events?")]


async def test_the_script_may_be_put_in_by_another(site: Site, page: Page) -> None:
    site.pages["/"] = "<!doctype html><title>Shop</title>"
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await page.evaluate(
        "{const tag = document.createElement('script'); tag.src = '/sdk/whyleft.js'; tag.async = true;"
        "tag.dataset.key = 'wl_w_test'; document.head.append(tag);}"
    )
    await site.one("page_viewed")
    assert await troubles(page) == []


@pytest.mark.parametrize(
    ("wish", "tag", "heard"),
    [
        ("globalPrivacyControl: {value: true}", TAG, False),
        ("doNotTrack: {value: '1'}", TAG, False),
        ("globalPrivacyControl: {value: true}", TAG.replace("data-key", "data-respect-dnt=false data-key"), True),
        ("doNotTrack: {value: '0'}", TAG, True),
        ("globalPrivacyControl: {value: false}", TAG, True),
    ],
)
async def test_a_wish_for_privacy_is_honoured(site: Site, page: Page, wish: str, tag: str, heard: bool) -> None:
    site.pages["/"] = f"<!doctype html>{tag}<button id=c onclick='this.after(1)'>Buy</button>"
    await page.add_init_script(f"Object.defineProperties(Navigator.prototype, {{{wish}}})")
    await page.goto(site.origin)
    await page.click("#c")
    await page.evaluate("whyleft.track('searched', {query: 'mug'}); whyleft.flush()")
    if heard:
        await site.one("searched")
        return
    await page.goto(site.origin + "/about")
    await asyncio.sleep(0.3)
    stored = await page.evaluate("[document.cookie, localStorage.length + sessionStorage.length, whyleft.consent()]")
    assert stored == ["", 0, "denied"] and not site.attempts


async def test_a_yes_is_stronger_than_the_browsers_wish(site: Site, page: Page) -> None:
    await page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})")
    await page.goto(site.origin)
    await page.evaluate("whyleft.consent({analytics: true}); whyleft.track('searched', {query: 'mug'})")
    await site.one("searched")
    assert await page.evaluate("whyleft.consent()") == "granted"


async def test_no_cookie_is_ever_set(site: Site, visitor: BrowserContext, page: Page) -> None:
    await page.goto(site.origin)
    await page.evaluate("whyleft.consent({analytics: true})")
    await site.one("consent_changed")
    assert await visitor.cookies() == []


async def test_before_a_yes_everything_is_in_memory_and_a_no_empties_it(site: Site, page: Page) -> None:
    tag = TAG.replace("data-key", "data-consent=required data-key")
    site.pages["/"] = f"<!doctype html>{tag}<button id=c onclick='this.after(1)'>Buy</button>"
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    await page.click("#c")
    assert await page.evaluate("whyleft.consent()") == "pending"
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    await page.evaluate("whyleft.consent({analytics: false}); whyleft.consent({analytics: true})")
    await site.one("consent_changed")
    assert not site.events("clicked")


async def test_a_click_before_a_no_goes_with_it_even_if_it_was_not_written_down_yet(site: Site, page: Page) -> None:
    answer = "whyleft.consent({analytics: false}); whyleft.consent({analytics: true}); whyleft.cartAdded({})"
    site.pages["/"] = f'<!doctype html>{TAG}<button onclick="{answer}">No, yes</button>'
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    await page.click("button")
    await site.one("cart_added")
    assert not site.events("clicked")


async def test_tabs_of_a_visitor_are_one_session_and_a_no_in_one_holds_in_all(
    site: Site, visitor: BrowserContext
) -> None:
    one, two = [await visitor.new_page() for _ in range(2)]
    for number, tab in enumerate((one, two)):
        await tab.goto(f"{site.origin}/{number}")
        await site.viewed(f"/{number}")
    assert len({(batch["visitor"], batch["session"]) for batch in site.batches}) == 1
    assert len({batch["tab"] for batch in site.batches}) == 2
    await one.evaluate("whyleft.consent({analytics: false})")
    before = len(site.attempts)
    await two.evaluate("whyleft.track('searched', {query: 'mug'}); whyleft.flush()")
    await asyncio.sleep(0.3)
    assert len(site.attempts) == before and await two.evaluate("whyleft.visitor()") == ""


async def test_what_fails_after_a_no_in_another_tab_is_not_kept(site: Site, visitor: BrowserContext) -> None:
    one, two = [await visitor.new_page() for _ in range(2)]
    under_way, answered = asyncio.Event(), asyncio.Event()

    async def fail_late(route: Route) -> None:
        under_way.set()
        await answered.wait()
        await route.fulfill(status=503, headers={"Retry-After": "60"})

    await one.goto(site.origin)
    await site.one("page_viewed")
    await two.route("**/v1/events*", fail_late)
    await two.goto(site.origin)
    await under_way.wait()
    await one.evaluate("whyleft.consent({analytics: false})")
    # What one tab stores the other does not see at once.
    await two.wait_for_function("localStorage.whyleft === '{\"c\":false}'")
    async with two.expect_response("**/v1/events*"):
        answered.set()
    await asyncio.sleep(0.3)
    assert await two.evaluate("Object.entries(localStorage)") == [["whyleft", '{"c":false}']]


async def test_what_loads_after_a_no_in_another_tab_stores_nothing(site: Site, visitor: BrowserContext) -> None:
    one, two = [await visitor.new_page() for _ in range(2)]
    asked = asyncio.Event()

    async def load_late(route: Route) -> None:
        await asked.wait()
        await route.continue_()

    await one.goto(site.origin)
    await site.one("page_viewed")
    await two.route("**/whyleft-signals.js", load_late)
    await two.goto(site.origin)
    await one.evaluate("whyleft.consent({analytics: false})")
    async with two.expect_response("**/whyleft-render.js"):  # which the signals load once they watch
        asked.set()
    assert await two.evaluate("Object.entries(localStorage)") == [["whyleft", '{"c":false}']]


async def test_a_masked_part_says_nothing_of_itself(site: Site, page: Page) -> None:
    site.pages["/"] = (
        f"<!doctype html>{TAG}<section data-whyleft-mask><h2>Ann Example</h2><b data-price>Secret 1</b>"
        "<a id=c href='#there' aria-label='Secret 2'>Secret 3</a></section>"
    )
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    await page.click("#c")
    props = (await site.one("clicked"))["props"]
    assert "Secret" not in str(props) and "Ann" not in str(props)


async def test_a_route_of_a_single_page_shop_is_a_page_once(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate(
        "history.pushState({}, '', '/a'); history.replaceState({}, '', '/a'); history.replaceState({}, '', '/a#part');"
    )
    await site.viewed("/a")
    await page.evaluate("document.title = 'B'; history.pushState({}, '', '/b')")
    await site.viewed("/b")
    await page.evaluate("history.back()")
    await site.heard(lambda: len(site.events("page_viewed")) == 4)
    views = [event["props"] for event in site.events("page_viewed")]
    assert [view["path"] for view in views] == ["/", "/a", "/b", "/a"]
    assert views[2]["title"] == "B" and views[2]["referrer"] == site.origin + "/a#part"
