"""Takes the pictures of docs/images/actions: each template and the overlay, desktop and phone, light and dark.

`python -m tests.sdk.pictures`
"""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from insights.api.explained import explained
from tests.browser import ARGUMENTS, PERSON, chromium_path
from tests.profiles.visit import Visit
from tests.sdk.site import TAG, Site, serving
from tests.sdk.templates import ACTIONS, action
from tests.sdk.test_sdk_corpus import WATCHING

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "docs" / "images" / "actions"
SIZES = {"desktop": (960, 600), "phone": (360, 600)}
PAGE = f"""<!doctype html><html lang=en><title>Quiet Kettle</title><meta name=color-scheme content="light dark">{TAG}
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:0;padding:28px 6vw;
color:light-dark(#222,#ddd);background:light-dark(#f6f4f0,#121316)}}
img{{float:inline-start;width:min(300px,40vw);height:auto;
margin-inline-end:28px;border-radius:12px;background:light-dark(#fff,#23262d)}}
h1{{margin:0}}</style><p>Quiet Kettle</p><img src=/pictures/stoneware-dripper.svg alt=""><h1>Stoneware dripper</h1>
<p>Slow mornings, one cup at a time. Glazed by hand, dishwasher safe, for filters of size two.</p>
<p><b>34.00 €</b></p>"""


DEBUG = "debug"
"""The picture of the overlay, among those of the templates."""
PRODUCT = "{product_id: 'dripper', name: 'Stoneware dripper', price_minor: 3400, currency: 'EUR'"


async def picture(browser: Browser, name: str, size: tuple[int, int], scheme: str) -> bytes:
    with serving(ROOT / "sdk-web" / "dist") as site:
        site.pages["/"] = PAGE
        context = await browser.new_context(
            user_agent=PERSON,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        page = await context.new_page()
        await page.route(
            "**/pictures/*",
            lambda route: route.fulfill(
                path=ROOT / "examples/shop/pictures" / route.request.url.rsplit("/", 1)[1], content_type="image/svg+xml"
            ),
        )
        if name == DEBUG:
            await refused_coupon(site, page)
        else:
            site.action = ACTIONS[name]
            await page.goto(site.origin)
        await page.wait_for_selector("whyleft-action .card")
        await page.wait_for_load_state("networkidle")
        taken = await page.screenshot()
        await context.close()
        return taken


async def refused_coupon(site: Site, page: Page) -> None:
    """A visit in the overlay, with what a server that explains itself answers to it."""
    visit = Visit().product("dripper", "brewers", 3400).add("dripper", "brewers", 3400, 3400)
    choice = visit.page("/cart").event("coupon_tried", accepted=False).decide()
    assert choice is not None and choice.offer is not None
    await page.goto(f"{site.origin}/?whyleft=debug")
    await page.wait_for_selector("whyleft-debug .panel")
    await page.evaluate(WATCHING)
    await page.evaluate(f"whyleft.productViewed({PRODUCT}}}); whyleft.cartAdded({PRODUCT}, cart_value_minor: 3400}})")
    await page.evaluate("history.pushState({}, '', '/cart')")
    await site.viewed("/cart")
    site.explained = explained(visit.profile, choice, visit.at_ms)
    site.action = action(choice.action.value, choice.offer.template, **choice.offer.content)
    await page.evaluate("whyleft.couponTried({accepted: false}); whyleft.flush()")


async def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        for template in (*ACTIONS, DEBUG):
            taken = [
                await picture(browser, template, size, scheme)
                for scheme in ("light", "dark")
                for size in SIZES.values()
            ]
            sheet = await browser.new_page(viewport={"width": 1344, "height": 1216})
            images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in taken)
            await sheet.set_content(
                "<style>body{margin:0;padding:8px;display:grid;grid-template-columns:960px 360px;gap:8px;"
                f"background:#888}}img{{display:block}}</style>{images}"
            )
            target = OUT / f"{template}.jpg"
            target.write_bytes(await sheet.screenshot(type="jpeg", quality=62))
            sys.stdout.write(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} B\n")
            await sheet.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
