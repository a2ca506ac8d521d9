"""What only some shops load: automatic cart events, the debug overlay, web push, the npm package."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import PERSON
from tests.sdk.site import KEY, TAG, Site
from tests.sdk.test_sdk_corpus import WATCHING
from tests.sdk.test_sdk_guest import ACTION, LISTEN

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]

SHOWN = """async () => { const registration = await navigator.serviceWorker.ready;
    for (let n = 0; n < 20; n++) {
        const [one] = await registration.getNotifications();
        if (one) return [one.title, one.body, one.data.url];
        await new Promise(done => setTimeout(done, 50));
    } }"""
AUTO = TAG.replace("data-key", "data-auto data-key")
AUTO_READY = WATCHING.replace("signals", "auto")
ITEM = "{item_id: 'm1', item_name: 'Mug', item_category: 'cups', price: 12.5, quantity: 2}"
LAYER: dict[str, tuple[str, dict[str, Any]]] = {
    f"gtag('event', 'view_item', {{currency: 'EUR', items: [{ITEM}]}})": (
        "product_viewed",
        {"product_id": "m1", "name": "Mug", "category": "cups", "price_minor": 1250, "currency": "EUR"},
    ),
    f"dataLayer.push({{event: 'add_to_cart', ecommerce: {{currency: 'JPY', items: [{ITEM}]}}}})": (
        "cart_added",
        {"product_id": "m1", "price_minor": 13, "quantity": 2, "currency": "JPY"},
    ),
    f"dataLayer.push({{event: 'remove_from_cart', ecommerce: {{items: [{ITEM}]}}}})": (
        "cart_removed",
        {"product_id": "m1", "quantity": 2},
    ),
    "gtag('event', 'add_to_cart', {items: [{item_id: 'm2', price: 1250, currency: 'JPY'}]})": (
        "cart_added",
        {"product_id": "m2", "price_minor": 1250, "quantity": 1, "currency": "JPY"},
    ),
    f"gtag('event', 'begin_checkout', {{currency: 'HUF', value: 9990, items: [{ITEM}]}})": (
        "checkout_started",
        {
            "cart_value_minor": 999_000,
            "currency": "HUF",
            "items": 1,
            "products": [
                {
                    "product_id": "m1",
                    "name": "Mug",
                    "category": "cups",
                    "price_minor": 1250,
                    "currency": "HUF",
                    "quantity": 2,
                }
            ],
        },
    ),
    "gtag('event', 'add_shipping_info', {})": ("checkout_step", {"step": "payment"}),
    f"gtag('event', 'purchase', {{transaction_id: 7, currency: 'EUR', value: '25.00', items: [{ITEM}]}})": (
        "purchased",
        {"order_id": "7", "value_minor": 2500, "currency": "EUR", "items": 1},
    ),
    "gtag('event', 'search', {search_term: 'mug'})": ("searched", {"query": "mug"}),
}


async def test_a_shops_data_layer_becomes_events(site: Site, page: Page) -> None:
    site.pages["/"] = (
        "<!doctype html><script>window.dataLayer = []; function gtag() { dataLayer.push(arguments); }"
        f"gtag('js', new Date()); gtag('event', 'view_item_list', {{}}); {next(iter(LAYER))}</script>{AUTO}"
    )
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await page.evaluate(AUTO_READY)
    # What has no number would be the same order as the next that has none.
    await page.evaluate("dataLayer.push(null, 7, {event: 'purchase', ecommerce: null}, {})")
    for said in list(LAYER)[1:]:
        assert isinstance(await page.evaluate(f"(() => {{ {said}; return dataLayer.length; }})()"), int)
    await site.heard(
        lambda: all(site.events(kind) for kind, _ in LAYER.values()) and len(site.events("cart_added")) == 2
    )
    for kind, props in LAYER.values():
        heard = [event["props"] for event in site.events(kind)]
        assert props in [{name: one.get(name) for name in props} for one in heard], heard
    assert [event["props"]["order_id"] for event in site.events("purchased")] == ["7"]
    assert await page.evaluate("troubles") == []


async def test_prices_in_several_currencies_have_no_sum(site: Site, page: Page) -> None:
    items = "[{item_id: 'a', price: 10, currency: 'EUR'}, {item_id: 'b', price: 5, currency: 'USD'}]"
    site.pages["/"] = f"<!doctype html><script>window.dataLayer = []</script>{AUTO}"
    await page.goto(site.origin)
    await page.evaluate(AUTO_READY)
    for name in ("begin_checkout", "purchase"):
        await page.evaluate(f"dataLayer.push({{event: '{name}', ecommerce: {{transaction_id: 'x', items: {items}}}}})")
    started = (await site.one("checkout_started"))["props"]
    assert [started.keys(), [one["currency"] for one in started["products"]]] == [{"items", "products"}, ["EUR", "USD"]]
    assert (await site.one("purchased"))["props"] == {"order_id": "x", "items": 2}


async def test_a_tag_that_does_not_ask_for_it_leaves_the_data_layer_alone(site: Site, page: Page) -> None:
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    await asyncio.sleep(0.2)
    assert await page.evaluate("window.dataLayer === undefined")


async def test_marked_elements_become_events(site: Site, page: Page) -> None:
    site.pages["/"] = (
        f"<!doctype html>{AUTO}<article data-product-id=m1 data-name=Mug data-price-minor=1250 data-currency=EUR "
        "data-whyleft-product><i data-promo=low_stock>2 left</i><i data-promo=code data-whyleft-mask>ANN10</i>"
        "<button data-whyleft-add=2>Add</button>"
        "<button data-whyleft-remove>Remove</button></article><a href='#' data-whyleft-checkout>Checkout</a>"
        "<div id=late></div>"
    )
    await page.goto(site.origin)
    await page.evaluate(AUTO_READY)
    for name in ("Add", "Remove", "Checkout"):
        await page.get_by_text(name, exact=True).click()
    assert (await site.one("cart_added"))["props"] == {
        "product_id": "m1",
        "name": "Mug",
        "price_minor": 1250,
        "currency": "EUR",
        "quantity": 2,
    }
    await site.one("cart_removed")
    await site.one("checkout_started")
    assert (await site.one("product_viewed"))["props"]["product_id"] == "m1"
    await site.heard(lambda: len(site.events("promo_seen")) == 2)
    assert [e["props"] for e in site.events("promo_seen")] == [
        {"kind": "low_stock", "text": "2 left"},
        {"kind": "code"},
    ]
    await page.evaluate("late.innerHTML = '<p data-product-id=m2 data-whyleft-reviews=7>reviews'")
    assert (await site.one("reviews_viewed"))["props"] == {"product_id": "m2", "count": 7}


async def test_what_is_pressed_in_a_shadow_tree_is_marked_as_elsewhere(site: Site, page: Page) -> None:
    site.pages["/"] = (
        f"<!doctype html>{AUTO}<buy-button data-product-id=m1 data-price-minor=1250 data-currency=EUR></buy-button>"
        "<product-card></product-card><script>"
        "const made = (name, html) => customElements.define(name, class extends HTMLElement {"
        "  connectedCallback() { this.attachShadow({mode: 'open'}).innerHTML = html; }});"
        "made('buy-button', '<button data-whyleft-add=2><b>Add</b></button>');"
        "made('product-card', '<p data-product-id=m2><button data-whyleft-remove>Remove</button>"
        "<button data-whyleft-checkout>Checkout</button>');"
        "</script>"
    )
    await page.goto(site.origin)
    await page.evaluate(AUTO_READY)
    for name in ("Add", "Remove", "Checkout"):
        await page.get_by_text(name, exact=True).click()
    added = {"product_id": "m1", "price_minor": 1250, "currency": "EUR", "quantity": 2}
    assert (await site.one("cart_added"))["props"] == added
    assert (await site.one("cart_removed"))["props"] == {"product_id": "m2", "quantity": 1}
    await site.one("checkout_started")


async def test_the_overlay_shows_events_answers_and_why(site: Site, page: Page) -> None:
    site.headers = {
        "Content-Security-Policy": "default-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
    }
    site.action = ACTION
    site.explained = {"stage": "cart_adder", "why": "They hesitate over a price."}
    await page.add_init_script(LISTEN)
    await page.goto(site.origin + "/?whyleft=debug")
    overlay = page.locator("whyleft-debug")
    await expect(overlay.get_by_text("page_viewed")).to_be_visible()
    await page.evaluate("whyleft.track('searched', {query: '<b>mug</b>'})")
    await expect(overlay.get_by_text("<b>mug</b>")).to_be_visible()
    await page.evaluate("whyleft.flush()")
    await expect(overlay.get_by_text("They hesitate over a price.")).to_be_visible()
    await expect(overlay.get_by_text("cart_adder")).to_be_visible()
    await page.goto(site.origin + "/next")
    await expect(overlay).to_have_count(1)
    await overlay.get_by_role("button", name="Stop").click()
    await page.goto(site.origin + "/last")
    await page.evaluate(WATCHING)
    await asyncio.sleep(0.2)
    await expect(overlay).to_have_count(0)
    assert await page.evaluate("troubles") == []


async def test_a_visitor_who_allows_it_is_subscribed_and_gets_the_push(
    site: Site, chromium: Browser, sdk: Path
) -> None:
    site.files["/whyleft-worker.js"] = (sdk / "whyleft-worker.js").read_bytes()
    context = await chromium.new_context(user_agent=PERSON, permissions=["notifications"])
    page = await context.new_page()
    # The real subscription is made with the browser maker's push service, which is outside.
    await page.add_init_script(
        """Notification.requestPermission = async () => 'granted';
        PushManager.prototype.subscribe = async function ({userVisibleOnly, applicationServerKey}) {
            window.asked = [userVisibleOnly, applicationServerKey];
            return {toJSON: () => ({endpoint: 'https://push.example/1', keys: {p256dh: 'a', auth: 'b'}})};
        };"""
    )
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    assert await page.evaluate("whyleft.push({publicKey: 'BAAA'})") == "granted"
    assert await page.evaluate("asked") == [True, "BAAA"]
    subscription = (await site.one("identified"))["props"]["traits"]["push_subscription"]
    assert subscription == {"endpoint": "https://push.example/1", "keys": {"p256dh": "a", "auth": "b"}}
    assert (await site.one("consent_changed"))["props"] == {"marketing": True, "channels": ["push"]}

    session = await context.new_cdp_session(page)
    found: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def registered(message: dict[str, Any]) -> None:
        for registration in message["registrations"]:
            if not found.done():
                found.set_result(registration)

    session.on("ServiceWorker.workerRegistrationUpdated", registered)
    await session.send("ServiceWorker.enable")
    registration = await asyncio.wait_for(found, 10)
    await page.wait_for_function("navigator.serviceWorker.ready.then(({active}) => active?.state === 'activated')")
    message = {"title": "Your cart", "body": "Two items wait.", "url": "/cart"}
    push = {"origin": site.origin, "registrationId": registration["registrationId"], "data": json.dumps(message)}
    shown = None
    # A worker that is being started may lose what the browser's own tools hand it, so that it is handed over again.
    for _ in range(10):
        await session.send("ServiceWorker.deliverPushMessage", push)
        if shown := await page.evaluate(SHOWN):
            break
    assert shown == ["Your cart", "Two items wait.", "/cart"]
    await context.close()


async def test_a_browser_without_push_says_so(site: Site, page: Page) -> None:
    await page.add_init_script("delete window.PushManager")
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    assert await page.evaluate("whyleft.push({publicKey: 'BAAA'})") == "unsupported"


async def test_the_npm_package_starts_by_a_call(site: Site, page: Page) -> None:
    site.action = ACTION
    site.pages["/"] = (
        "<!doctype html><script type=module>import {start} from '/sdk/whyleft.mjs';"
        f"const api = await start({{key: '{KEY}', endpoint: location.origin + '/'}});"
        f"await start({{key: '{KEY}', endpoint: location.origin}});"
        "api.track('searched', {query: 'mug'}); api.flush();</script><button>Buy</button>"
    )
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await site.one("searched")
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert len(site.events("page_viewed")) == 1 and await page.evaluate("troubles") == []


@pytest.mark.parametrize("blocked", [True, False])
async def test_the_npm_package_that_cannot_start_throws_nothing(site: Site, page: Page, blocked: bool) -> None:
    """Something keeps its files from the page, or the key's environment variable is empty."""
    if blocked:
        await page.route("**/whyleft-core.mjs", lambda route: route.abort())
    site.pages["/"] = (
        "<!doctype html><script type=module>import {start} from '/sdk/whyleft.mjs';"
        f"window.api = String(await start({{key: '{KEY if blocked else ''}', endpoint: location.origin}}));"
        "</script>"
    )
    await page.add_init_script(LISTEN)
    await page.goto(site.origin)
    await page.wait_for_function("window.api")
    assert await page.evaluate("[api, ...troubles]") == ["undefined"]


def test_the_npm_package_may_be_imported_on_a_server(sdk: Path) -> None:
    code = "import('./whyleft.mjs').then(async m => console.log(await m.start({key: 'k', endpoint: 'e'})))"
    done = subprocess.run(["node", "-e", code], cwd=sdk, capture_output=True, text=True, timeout=30)
    assert (done.stdout.strip(), done.stderr) == ("undefined", "")


async def test_the_published_hash_admits_the_script(site: Site, sdk: Path, page: Page) -> None:
    sizes = json.loads((sdk / "sizes.json").read_text())
    for name, told in sizes.items():
        digest = base64.b64encode(hashlib.sha384((sdk / name).read_bytes()).digest()).decode()
        assert told["integrity"] == f"sha384-{digest}" and told["gzip"] <= told["budget"]
    integrity = sizes["whyleft.js"]["integrity"]
    site.pages["/"] = "<!doctype html>" + TAG.replace("data-key", f"integrity={integrity} crossorigin data-key")
    await page.goto(site.origin)
    await site.one("page_viewed")
