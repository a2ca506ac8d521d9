"""What a visitor wrote stays in the page, wherever the page shows it."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page

from tests.sdk.site import TAG, Site
from tests.sdk.test_sdk_corpus import WATCHING

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("hurried")]


@pytest.mark.parametrize(
    "written",
    [
        "<h2 contenteditable>Written</h2><button id=c>Keep</button>",
        "<h2>Mug with <span contenteditable=plaintext-only>Written</span></h2><button id=c>Keep</button>",
        "<b data-price contenteditable>Written</b><button id=c>Keep</button>",
        # As React keeps what is written into a textarea that it controls.
        "<div role=button id=c tabindex=0>Engrave <textarea>Written</textarea></div>",
        "<div role=button id=c tabindex=0 contenteditable>Written</div>",
    ],
)
async def test_what_was_written_on_the_page_is_no_heading_price_or_label(site: Site, page: Page, written: str) -> None:
    site.pages["/"] = f"<!doctype html>{TAG}<section data-section=gift>{written}</section>"
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    await page.click("#c", position={"x": 3, "y": 3})
    assert (await site.one("clicked"))["props"]["section"] == "gift"
    assert "Written" not in json.dumps(site.batches)


async def test_what_cannot_be_written_into_is_read(site: Site, page: Page) -> None:
    site.pages["/"] = (
        f"<!doctype html>{TAG}<section><h2 contenteditable=false>Mug</h2><button id=c>Keep</button></section>"
    )
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    await page.click("#c")
    assert (await site.one("clicked"))["props"]["heading"] == "Mug"


@pytest.mark.parametrize(
    "link",
    ["<a id=c download=order.txt href='data:text/plain,Written'>Keep</a>",
     "<svg width=40 height=40><a id=c href='#Written'><rect width=40 height=40 /></a></svg>"],
)  # fmt: skip
async def test_what_was_made_in_the_page_is_no_address(site: Site, page: Page, link: str) -> None:
    site.pages["/"] = f"<!doctype html>{TAG}{link}"
    await page.goto(site.origin)
    await page.evaluate(WATCHING)
    await page.click("#c")
    assert "href" not in (await site.one("clicked"))["props"]
    assert "Written" not in json.dumps([event["props"] for event in site.events("clicked")])
