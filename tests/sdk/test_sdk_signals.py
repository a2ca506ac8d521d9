"""What behaviour becomes a signal, and what does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.browser import PERSON
from tests.sdk.site import TAG, Site
from tests.sdk.test_sdk_corpus import SHOW, WATCHING
from tests.sdk.test_sdk_delivery import HIDE

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]


async def opened(site: Site, page: Page, body: str) -> None:
    """A page with this body, and the signals watching."""
    site.pages["/"] = f"<!doctype html>{TAG}{body}"
    await page.goto(site.origin)
    await page.evaluate(WATCHING)


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


async def test_a_click_is_told_as_it_was_before_the_page_answered_it(site: Site, page: Page) -> None:
    """What the handler removes, renames and tracks comes later, though the click is written down when there is time."""
    answer = "this.textContent = 'Added'; whyleft.cartAdded({product_id: 'm1'}); card.remove()"
    await opened(
        site,
        page,
        f'<section data-section=mugs><div id=card><h2>Blue mug</h2><b data-price>12 €</b><p><button onclick="{answer}">'
        "Add</button></div></section>",
    )
    await page.click("button")
    added, clicked = await site.one("cart_added"), await site.one("clicked")
    told = {name: clicked["props"].get(name) for name in ("label", "section", "heading", "price")}
    assert told == {"label": "Add", "section": "mugs", "heading": "Blue mug", "price": "12 €"}
    assert clicked["seq"] < added["seq"] and clicked["t"] <= added["t"]


async def test_what_is_masked_stays_masked_when_the_page_takes_it_away(site: Site, page: Page) -> None:
    answer = "card.remove(); document.querySelector('main').removeAttribute('data-whyleft-mask')"
    await opened(
        site,
        page,
        "<main data-whyleft-mask><div id=card><h2>Ann Example</h2>"
        f'<button onclick="{answer}">Pay 12 €</button></div></main>',
    )
    await page.click("button")
    props = (await site.one("clicked"))["props"]
    assert "heading" not in props and props["label"] == ""


async def test_what_has_a_masked_part_or_stands_in_a_masked_host_says_nothing_of_itself(site: Site, page: Page) -> None:
    await opened(
        site,
        page,
        "<div><h2>Order of <i data-whyleft-mask>Ann</i></h2><button id=pay>Pay as <i data-whyleft-mask>Ann</i></button>"
        "</div><x-pay data-whyleft-mask></x-pay><script>document.querySelector('x-pay').attachShadow({mode: 'open'})"
        ".innerHTML = '<h3>For Ann</h3><button>Pay as Ann</button>'</script>",
    )
    await page.click("#pay")
    await page.click("x-pay button")
    clicked = [event["props"] for event in await all_events(site, page) if event["type"] == "clicked"]
    assert [props["label"] for props in clicked] == ["", ""]
    assert "Ann" not in str(clicked)


async def test_a_price_is_a_price_in_whatever_section_it_stands(site: Site, page: Page) -> None:
    await opened(site, page, "<section data-section=mugs><b data-price>12 €</b></section>")
    await page.hover("b")
    assert (await site.one("hover_hesitation"))["props"]["section"] == "price"


async def test_what_a_click_handler_flushes_has_that_click_in_it(site: Site, page: Page) -> None:
    """The click is written down after the page's own handlers, and still before the batch that one of them asks for."""
    await opened(
        site,
        page,
        "<button onpointerdown=\"whyleft.searched({query: 'mug'})\" onclick='whyleft.flush()'>Buy</button>",
    )
    await page.click("button")
    await site.heard(lambda: site.events("searched"))
    flushed = next(batch for batch in site.batches if any(event["type"] == "searched" for event in batch["events"]))
    assert [event["type"] for event in flushed["events"]][-2:] == ["searched", "clicked"]


@pytest.mark.parametrize(
    "order",
    ["<button onclick=\"location.href = '/next'\">Order</button>", "<a href=/next>Order</a>"],
    ids=["button", "link"],
)
async def test_a_click_that_leads_away_at_once_is_told(site: Site, page: Page, order: str) -> None:
    await opened(site, page, order)
    await page.click("text=Order")
    await site.viewed("/next")
    assert (await site.one("clicked"))["props"]["label"] == "Order"


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
    assert "4111" not in str([event["props"] for event in events])


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


async def test_depth_is_told_for_the_page_and_its_sections(site: Site, page: Page) -> None:
    body = (
        "<section data-section=story style='height:900px'></section><h2 id=size>Size</h2><p style='height:2400px'></p>"
    )
    await opened(site, page, body)
    await page.evaluate("scrollTo(0, 450)")
    await site.one("scrolled")
    await page.evaluate("scrollTo(0, 1000)")
    await asyncio.sleep(0.4)
    depths: dict[str, float] = {}
    for event in await all_events(site, page):
        if event["type"] == "scrolled":
            props = event["props"]
            depths[props.get("section", "")] = max(depths.get(props.get("section", ""), 0), props["depth"])
    assert depths["story"] == 1 and 0.45 < depths[""] < 0.6 and 0.2 < depths["size"] < 0.5


async def test_a_page_that_fits_was_not_scrolled(site: Site, page: Page) -> None:
    await opened(site, page, "<p>short")
    await page.evaluate("dispatchEvent(new Event('scroll'))")
    await asyncio.sleep(0.4)
    assert not [event for event in await all_events(site, page) if event["type"] == "scrolled"]


async def test_time_with_the_page_is_told_in_portions(site: Site, page: Page) -> None:
    await opened(site, page, "<p>a story")
    event = await site.one("engaged")
    assert 2_900 <= event["props"]["ms"] < 6_000
    await page.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))")
    await asyncio.sleep(1)
    events = await all_events(site, page)
    assert sum(event["props"]["ms"] for event in events if event["type"] == "engaged") < 6_000


async def test_straight_back_to_the_page_before_is_a_quick_back(site: Site, page: Page) -> None:
    for path in ("/shelf", "/mug", "/shelf"):
        await page.goto(site.origin + path)
        await page.evaluate(WATCHING)
    props = (await site.one("quick_back"))["props"]
    assert (props["from"], props["to"]) == ("/mug", "/shelf") and 0 <= props["ms"] < 10_000


async def test_a_hidden_tab_says_how_long_it_was_away(site: Site, page: Page) -> None:
    await opened(site, page, "")
    await page.evaluate(HIDE)
    await site.one("tab_hidden")
    await asyncio.sleep(0.3)
    await page.evaluate(SHOW)
    assert 250 <= (await site.one("tab_returned"))["props"]["away_ms"] < 5_000


async def test_a_fling_to_the_top_of_a_phone_is_an_exit_intent(site: Site, chromium: Browser) -> None:
    context = await chromium.new_context(
        user_agent=PERSON, is_mobile=True, has_touch=True, viewport={"width": 390, "height": 800}
    )
    page = await context.new_page()
    await opened(site, page, "<meta name=viewport content='width=device-width'><p style='height:5000px'>")
    # Frame by frame, however long frames take here: each step is more than a fling.
    fling = """async () => { for (const y of [3000, 2990, 2200, 1400, 600]) {
        const moved = new Promise(done => addEventListener('scroll', done, {once: true, capture: true}));
        scrollTo(0, y);
        await moved;
    } }"""
    await page.evaluate(fling)
    assert (await site.one("exit_intent"))["props"] == {"kind": "scroll"}
    await context.close()


@pytest.mark.parametrize("agreed", [True, False])
async def test_a_field_is_kept_only_where_marked_and_agreed(site: Site, page: Page, agreed: bool) -> None:
    await opened(
        site,
        page,
        "<form id=f><input name=size data-whyleft-keep><input name=note>"
        "<input name=card_number data-whyleft-keep><input name=pin type=password data-whyleft-keep></form>",
    )
    if agreed:
        await page.evaluate("whyleft.consent({analytics: true})")
    for name in ("size", "note", "card_number", "pin"):
        await page.fill(f"[name={name}]", f"my-{name}")
    await page.evaluate("document.activeElement.blur()")
    events = await all_events(site, page)
    kept = {e["props"]["field"]: e["props"].get("value") for e in events if e["type"] == "form_field"}
    assert kept == {"size": "my-size" if agreed else None, "note": None, "card_number": None, "pin": None}
    assert ("my-size" in str(events)) is agreed


async def test_what_happens_in_a_frame_of_the_same_origin_is_heard(site: Site, page: Page) -> None:
    site.pages["/inside"] = f"<!doctype html>{TAG}<form id=pay><input name=card></form><button id=buy>Pay</button>"
    await opened(site, page, "<iframe src=/inside></iframe>")
    frame = page.frames[-1]
    await frame.click("#buy")
    await frame.fill("[name=card]", "4111")
    await frame.evaluate("whyleft.track('searched', {query: 'mug'})")
    events = await all_events(site, page)
    assert [event["props"]["path"] for event in events if event["type"] == "page_viewed"] == ["/"]
    assert [event["props"]["selector"] for event in events if event["type"] == "clicked"] == ["#buy"]
    assert "form_abandoned" in {event["type"] for event in events}
    assert [event["type"] for event in events].count("searched") == 1
    assert len({(batch["visitor"], batch["session"], batch["tab"]) for batch in site.batches}) == 1


async def test_a_click_says_where_on_the_page_it_was(site: Site, page: Page) -> None:
    await opened(
        site,
        page,
        "<article data-section=offer><h2>Moka pot</h2><b data-price>24.00 €</b><i data-promo=low_stock>2 left</i>"
        "<button id=c onclick='this.after(1)'>Buy</button></article>",
    )
    await page.click("#c")
    props = (await site.one("clicked"))["props"]
    assert {name: props[name] for name in ("section", "heading", "price", "promo")} == {
        "section": "offer",
        "heading": "Moka pot",
        "price": "24.00 €",
        "promo": "low_stock",
    }
