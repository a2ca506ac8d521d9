"""What the SDK says about a visit: shape, order, identity, consent."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.sdk.site import KEY, TAG, Site, serving

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]


async def test_a_page_view_arrives_as_the_contract_says(site: Site, page: Page) -> None:
    await page.goto(site.origin + "/mugs?utm_source=news&gclid=secret")
    event = await site.one("page_viewed")
    path, content_type, batch = site.attempts[0]
    assert path == f"/v1/events?key={KEY}&v={batch['visitor']}"
    assert content_type.startswith("text/plain")
    assert UUID(batch["session"]).version == 7 and UUID(batch["visitor"]).version == 7
    assert batch["page"] == {"url": site.origin + "/mugs?utm_source=news&gclid=secret", "referrer": "", "title": "Shop"}
    assert isinstance(batch["sent_at"], int) and batch["tab"]
    assert UUID(event["id"]).version == 7 and event["seq"] == 0 and isinstance(event["t"], int)
    assert event["props"]["path"] == "/mugs"
    assert event["props"]["source"] == {"utm_source": "news", "click_id": True}
    assert event["props"]["client"]["bot"] is False
    assert re.fullmatch(r"\d+x\d+", event["props"]["client"]["viewport"])


BROWSER = "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "robot"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", True),
        (f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) {BROWSER} (compatible; bingbot/2.0)", True),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0", True),
        (f"Mozilla/5.0 (Linux; Android 13; CUBOT P80) {BROWSER}", False),
        (f"Mozilla/5.0 (Linux; Android 14; TECNO PHANTOM V Fold) {BROWSER}", False),
    ],
)
async def test_a_robot_is_flagged(site: Site, chromium: Browser, agent: str, robot: bool) -> None:
    context = await chromium.new_context(user_agent=agent)
    page = await context.new_page()
    await page.goto(site.origin)
    assert (await site.one("page_viewed"))["props"]["client"]["bot"] is robot
    await context.close()


async def test_a_tab_numbers_its_events_without_gap_or_repeat(site: Site, page: Page) -> None:
    await page.goto(site.origin + "/one")
    await page.evaluate("for (let n = 0; n < 5; n++) whyleft.track('searched', {query: String(n)})")
    await page.goto(site.origin + "/two")
    await page.evaluate("whyleft.track('searched', {query: 'last'})")
    await site.heard(lambda: any(event["props"]["query"] == "last" for event in site.events("searched")))
    events = sorted(site.events(), key=lambda event: event["seq"])
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [event["props"]["query"] for event in events if event["type"] == "searched"] == [
        "0",
        "1",
        "2",
        "3",
        "4",
        "last",
    ]
    assert [event["t"] for event in events] == sorted(event["t"] for event in events)


async def test_calls_made_before_the_script_arrived_are_kept(site: Site, page: Page) -> None:
    early = "window.kept = window.whyleft = window.whyleft || {q: []}; kept.q.push(['searched', {query: 'mug'}])"
    site.pages["/"] = f"<!doctype html><script>{early}</script>{TAG}"
    await page.goto(site.origin)
    assert (await site.one("searched"))["props"] == {"query": "mug"}
    assert await page.evaluate("window.kept === window.whyleft && typeof window.kept.track") == "function"


async def test_the_cart_methods_record_the_event_of_their_name(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await page.evaluate(
        """whyleft.productViewed({product_id: 'm1'}); whyleft.cartAdded({product_id: 'm1', quantity: 2});
        whyleft.checkoutStep({step: 'payment'}); whyleft.couponTried({accepted: false});
        whyleft.purchased({order_id: 'o1', value_minor: 2400, currency: 'EUR'})"""
    )
    assert (await site.one("purchased"))["props"] == {"order_id": "o1", "value_minor": 2400, "currency": "EUR"}
    assert [event["type"] for event in site.events()][1:] == [
        "product_viewed",
        "cart_added",
        "checkout_step",
        "coupon_tried",
        "purchased",
    ]


async def test_another_origin_needs_no_preflight(site: Site, page: Page, sdk: Path) -> None:
    with serving(sdk) as shop:
        shop.pages["/"] = f'<!doctype html><script src="{site.origin}/sdk/whyleft.js" data-key="{KEY}"></script>'
        await page.goto(shop.origin)
        await site.one("page_viewed")
    assert site.preflights == 0 and not shop.attempts


async def test_pages_of_a_single_page_shop_are_counted(site: Site, page: Page) -> None:
    await page.goto(site.origin + "/list")
    await page.evaluate("history.pushState({}, '', '/mug')")
    await site.heard(lambda: len(site.events("page_viewed")) == 2)
    await page.evaluate("history.back()")
    back = await site.one("quick_back")
    assert [event["props"]["path"] for event in site.events("page_viewed")] == ["/list", "/mug", "/list"]
    assert (back["props"]["from"], back["props"]["to"]) == ("/mug", "/list")


async def test_tabs_of_a_shop_share_one_visit(site: Site, visitor: BrowserContext) -> None:
    for path in ("/one", "/two"):
        await (await visitor.new_page()).goto(site.origin + path)
        await site.viewed(path)
    first, second = site.batches[0], site.batches[-1]
    assert (first["visitor"], first["session"]) == (second["visitor"], second["session"])
    assert first["tab"] != second["tab"]


async def test_half_an_hour_of_silence_starts_a_new_visit_of_the_same_visitor(site: Site, page: Page) -> None:
    site.pages["/bare"] = "<!doctype html>the shop's storage, without the SDK"
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.goto("about:blank")
    await page.goto(site.origin + "/bare")
    await page.evaluate(
        """() => { for (const name of Object.keys(localStorage)) {
            const kept = JSON.parse(localStorage[name]);
            if (kept.a) localStorage[name] = JSON.stringify({...kept, a: kept.a - 31 * 60000});
        } }"""
    )
    site.batches.clear()
    before = site.attempts[0][2]
    await page.goto(site.origin)
    await site.one("page_viewed")
    assert site.batches[0]["visitor"] == before["visitor"]
    assert site.batches[0]["session"] != before["session"]


async def test_global_privacy_control_is_honoured(site: Site, page: Page) -> None:
    await page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true}); window.own = fetch"
    )
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'}); whyleft.flush()")
    assert await page.evaluate(
        "[localStorage.length, sessionStorage.length, whyleft.visitor(), window.fetch === window.own]"
    ) == [
        0,
        0,
        "",
        True,
    ]
    await page.goto("about:blank")
    assert site.attempts == []


async def test_nothing_is_stored_or_sent_before_a_required_yes(site: Site, page: Page) -> None:
    site.pages["/"] = "<!doctype html>" + TAG.replace("data-key", 'data-consent="required" data-key')
    await page.goto(site.origin)
    await page.evaluate("whyleft.track('searched', {query: 'mug'}); whyleft.flush()")
    await page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert site.attempts == []
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    await page.evaluate("whyleft.consent({analytics: true})")
    await site.one("searched")
    assert (await site.one("consent_changed"))["props"] == {"analytics": True}
    assert site.events()[0]["type"] == "page_viewed"


@pytest.mark.parametrize("asked", ["data-consent", 'data-consent="Required"', 'data-consent="true"'])
async def test_a_misspelt_wish_to_ask_first_is_one(site: Site, page: Page, asked: str) -> None:
    site.pages["/"] = "<!doctype html>" + TAG.replace("data-key", f"{asked} data-key")
    await page.goto(site.origin)
    assert await page.evaluate("whyleft.consent()") == "pending"
    await page.evaluate("whyleft.flush(); new Promise(done => setTimeout(done, 100))")
    assert site.attempts == [] and await page.evaluate("localStorage.length") == 0


async def test_only_true_is_a_yes(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    assert await page.evaluate("whyleft.consent({analytics: 'denied'}); whyleft.consent()") == "denied"
    assert await page.evaluate("Object.entries(localStorage)") == [["whyleft", '{"c":false}']]


async def test_tabs_that_are_allowed_one_after_the_other_are_of_one_visitor(
    site: Site, visitor: BrowserContext, page: Page
) -> None:
    site.pages["/"] = "<!doctype html>" + TAG.replace("data-key", 'data-consent="required" data-key')
    other = await visitor.new_page()
    for tab in (page, other):
        await tab.goto(site.origin)
        await tab.evaluate("whyleft.visitor()")
    await page.evaluate("whyleft.consent({analytics: true}); whyleft.flush()")
    await site.one("consent_changed")
    await other.evaluate("whyleft.consent({analytics: true}); whyleft.flush()")
    await site.heard(lambda: len(site.events("consent_changed")) == 2)
    assert await other.evaluate("whyleft.visitor()") == await page.evaluate("whyleft.visitor()")
    first, second = (batch for batch in site.batches if "consent_changed" in str(batch["events"]))
    assert (first["visitor"], first["session"]) == (second["visitor"], second["session"])


async def test_a_no_forgets_the_visitor(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await site.one("page_viewed")
    await page.evaluate(
        "whyleft.consent({analytics: false}); whyleft.track('searched', {query: 'mug'}); whyleft.flush()"
    )
    assert await page.evaluate("whyleft.visitor()") == ""
    visitor = site.batches[0]["visitor"]
    assert visitor not in await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    await page.goto(site.origin + "/later")
    await page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert not site.events("searched") and len(site.events("page_viewed")) == 1
