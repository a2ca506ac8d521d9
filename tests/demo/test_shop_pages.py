from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from insights.demo.shop import create_shop
from insights.vocabulary.events import PROPS
from tests.demo.serving import serving

pytestmark = pytest.mark.browser

# Nothing answers here: every test of this file runs with the SDK missing, so what the shop reports stays in its list.
NO_SERVER = "http://127.0.0.1:9"


class Visit:
    """A page in a fresh browser profile, and what the shop reported and complained about in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text) if "Policy" in line.text else None)

    async def go(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def reported(self) -> list[tuple[str, dict[str, Any]]]:
        """Calls of the current page, in order."""
        calls = await self.page.evaluate("window.whyleft?.q ?? []")
        return [(call[0], call[1]) for call in calls]

    async def told_of(self, name: str) -> None:
        """Waits until the current page has made the call ``name``."""
        await self.page.wait_for_function("name => window.whyleft?.q.some(call => call[0] === name)", arg=name)


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    shop = create_shop(
        api_url=NO_SERVER, write_key="wk_test", secret_key=None, inbox_url=None, viewer_url=None, slow_seconds=0.5
    )
    async with serving(shop) as url:
        context = await browser.new_context()
        visit = Visit(await context.new_page(), url)
        yield visit
        await context.close()
    assert visit.complaints == []


async def test_a_visitor_buys_with_the_sdk_missing_and_all_that_is_reported_is_a_known_event(visit: Visit) -> None:
    page, said = visit.page, []
    await visit.go("/?q=mug")
    await visit.told_of("searched")
    await visit.told_of("promoSeen")
    said += await visit.reported()
    await page.get_by_role("link", name="Morning mug").click()
    await page.locator("#reviews").scroll_into_view_if_needed()
    await visit.told_of("reviewsViewed")
    await page.locator("article [data-add-to-cart]").click()
    await expect(page.get_by_role("status")).to_have_text("Morning mug is in your basket.")
    await expect(page.locator("#basket-count")).to_have_text("1")
    said += await visit.reported()

    await page.get_by_role("link", name="Basket").click()
    await page.get_by_role("button", name="One more of Morning mug").click()
    await expect(page.locator("#sum-total")).to_have_text("€36.00")
    await page.get_by_role("button", name="One less of Morning mug").click()
    await expect(page.locator("#sum-total")).to_have_text("€18.00")
    await page.get_by_label("Discount code").fill("NOPE")
    await page.get_by_role("button", name="Use").click()
    await expect(page.locator("#coupon-says")).to_have_text("We do not know this code.")
    said += await visit.reported()

    await page.get_by_role("link", name="Go to checkout").click()
    await page.get_by_label("E-mail").fill("ada@example.com")
    await page.get_by_label("Mail me about my basket").check()
    await page.keyboard.press("Enter")
    for label, text in [("Name", "Ada"), ("Street and number", "Kade 1"), ("Postcode", "1011"), ("Town", "A'dam")]:
        await page.get_by_label(label).fill(text)
    await page.get_by_label("Express").check()
    await page.get_by_role("button", name="Continue to payment").click()
    await expect(page.locator("#sum-total")).to_have_text("€27.90")
    await page.get_by_role("button", name="Continue to review").click()
    await expect(page.get_by_role("heading", name="Review")).to_be_focused()
    await expect(page.locator("#say-shipping")).to_have_text("Ada, Kade 1, 1011 A'dam, Netherlands (express)")
    said += await visit.reported()
    await page.get_by_role("button", name="Place the order").click()
    await page.wait_for_url("**/thank-you?order=QK-*")
    await visit.told_of("purchased")
    said += await visit.reported()
    await page.reload()
    assert await visit.reported() == [], "an order is told once"

    promises = [props for name, props in said if name == "promoSeen"]
    assert promises == [{"kind": "free_shipping", "text": "Free standard delivery from €60.00"}]
    assert [name for name, _ in said if name != "promoSeen"] == [
        *("searched", "productViewed", "reviewsViewed", "cartAdded"),
        *("cartAdded", "cartRemoved", "couponTried"),
        *("checkoutStarted", "checkoutStep", "identify", "consent", "checkoutStep", "checkoutStep", "checkoutStep"),
        "purchased",
    ]
    types = {"identify": "identified", "consent": "consent_changed"}
    for name, props in said:
        known = PROPS[types.get(name) or re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)]
        msgspec.convert(props, known)
        assert set(props) <= {field.encode_name for field in msgspec.structs.fields(known)}
    told = dict(said)
    assert told["searched"] == {"query": "mug", "results": 1}
    assert told["cartRemoved"]["cart_value_minor"] == 1800
    assert told["consent"] == {"marketing": True, "channels": ["email"]}
    assert {key: told["purchased"][key] for key in ("value_minor", "currency", "items")} == {
        "value_minor": 2790,
        "currency": "EUR",
        "items": 1,
    }


async def added(page: Page) -> int:
    """The status of what a product's button asks of the basket. The page asks for the basket by itself, too."""
    async with page.expect_response(
        lambda answer: answer.url.endswith("/api/cart") and answer.request.method == "POST"
    ) as answer:
        await page.locator("article [data-add-to-cart]").click()
    return (await answer.value).status


async def break_it(visit: Visit, switch: str) -> None:
    await visit.go("/break")
    await visit.page.get_by_role("switch", name=switch).check()
    await expect(visit.page.locator("#break-says")).to_have_text("Broken. Now go shopping.")


async def test_a_failing_basket_is_answered_500_and_says_so_until_it_is_mended(visit: Visit) -> None:
    await break_it(visit, "Failing basket")
    await visit.go("/product/moka-pot")
    for _ in range(3):
        assert await added(visit.page) == 500
    await expect(visit.page.get_by_role("status")).to_have_text("Sorry, that did not work. Please try again.")
    assert "cartAdded" not in [name for name, _ in await visit.reported()]
    await visit.page.get_by_role("button", name="Mend").click()
    assert await added(visit.page) == 200


async def test_a_dead_button_does_nothing_at_all(visit: Visit) -> None:
    await break_it(visit, "Dead button")
    await visit.go("/product/moka-pot")
    await visit.page.wait_for_load_state("networkidle")
    await visit.page.evaluate(
        "() => { window.changes = 0; new MutationObserver(() => window.changes++)"
        ".observe(document, {subtree: true, childList: true, attributes: true, characterData: true}) }"
    )
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    await visit.page.locator("article [data-add-to-cart]").click(click_count=3)
    await visit.page.evaluate("() => new Promise(done => setTimeout(done, 100))")
    assert (asked, await visit.page.evaluate("window.changes")) == ([], 0)


async def test_dear_delivery_is_a_surprise_at_the_shipping_step(visit: Visit) -> None:
    await break_it(visit, "Surprising delivery costs")
    await visit.go("/product/moka-pot")
    await visit.page.locator("article [data-add-to-cart]").click()
    await expect(visit.page.locator("#basket-count")).to_have_text("1")
    await visit.go("/cart")
    await expect(visit.page.locator("#sum-shipping")).to_have_text("at checkout")
    await visit.go("/checkout")
    await visit.page.get_by_label("E-mail").fill("ada@example.com")
    await visit.page.get_by_role("button", name="Continue to shipping").click()
    await expect(visit.page.locator("[data-delivery=standard]")).to_have_text("€28.90")


async def test_a_slow_checkout_shows_that_it_works_on_it(visit: Visit) -> None:
    await break_it(visit, "Slow checkout")
    await visit.go("/product/moka-pot")
    await visit.page.locator("article [data-add-to-cart]").click()
    await expect(visit.page.locator("#basket-count")).to_have_text("1")
    await visit.go("/checkout")
    await visit.page.get_by_label("E-mail").fill("ada@example.com")
    await visit.page.get_by_role("button", name="Continue to shipping").click()
    await expect(visit.page.get_by_role("button", name="Checking…")).to_be_disabled()
    await expect(visit.page.get_by_role("heading", name="Shipping")).to_be_focused()


async def test_a_wrong_address_is_said_at_its_field(visit: Visit) -> None:
    await visit.go("/product/moka-pot")
    await visit.page.locator("article [data-add-to-cart]").click()
    await expect(visit.page.locator("#basket-count")).to_have_text("1")
    await visit.go("/checkout")
    await visit.page.get_by_label("E-mail").fill("ada")
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.get_by_label("E-mail")).to_be_focused()
    await expect(visit.page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    await expect(visit.page.get_by_role("alert").first).to_contain_text("name@example.com")
    assert "identify" not in [name for name, _ in await visit.reported()]


async def test_a_code_from_a_mail_is_filled_in(visit: Visit) -> None:
    await visit.go("/product/moka-pot")
    await visit.page.locator("article [data-add-to-cart]").click()
    await expect(visit.page.locator("#basket-count")).to_have_text("1")
    await visit.go("/cart?code=BACK-10")
    await expect(visit.page.get_by_label("Discount code")).to_have_value("BACK-10")


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_no_page_scrolls_sideways(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 700})
    await visit.go("/product/espresso-pair")
    await visit.page.locator("article [data-add-to-cart]").click()
    await expect(visit.page.locator("#basket-count")).to_have_text("1")
    for path in ("/", "/?q=zzz", "/product/hand-grinder", "/cart", "/checkout", "/returns", "/break", "/nope"):
        await visit.go(path)
        if path in {"/cart", "/checkout"}:
            await visit.page.locator("#filled").wait_for()
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width, path
