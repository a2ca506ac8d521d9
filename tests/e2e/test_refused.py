"""What a shop's developer reads in the console of a real browser when a key, an origin or an event is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from adapters.postgres.engine import DatabaseUrls
from tests.browser import PERSON
from tests.demo import serving as pages
from tests.e2e.server import serving, until

pytestmark = pytest.mark.browser


async def test_a_refused_key_and_a_refused_origin_are_said_as_docs_sdk_says(
    database_urls: DatabaseUrls, tmp_path: Path, browser: Browser
) -> None:
    async with serving(database_urls, tmp_path) as server:
        elsewhere = await server.key("write", "https://another.example")

        async def page(request: Request) -> HTMLResponse:
            key = request.query_params["key"]
            return HTMLResponse(f'<script async src="{server.url}/sdk/whyleft.js" data-key="{key}"></script>')

        async with pages.serving(Starlette(routes=[Route("/", page)])) as shop:
            for key, status in (("wl_w_unknown", 401), (elsewhere, 403)):
                said, asked = await _heard(browser, f"{shop}/?key={key}", f"events refused ({status})")
                assert [line for line in said if "whyleft" in line and "refused" in line], said
                assert asked == 0, "a page that was refused stops asking"


async def test_an_event_that_is_refused_is_said_with_what_to_do(
    database_urls: DatabaseUrls, tmp_path: Path, browser: Browser
) -> None:
    async with serving(database_urls, tmp_path) as server:

        async def page(request: Request) -> HTMLResponse:
            tag = f'<script async src="{server.url}/sdk/whyleft.js" data-key="{key}"></script>'
            early = "<script>window.whyleft = {q: [['cartAdded', {product_id: 'm1', price_minor: 12.5}]]}</script>"
            return HTMLResponse(early + tag)

        async with pages.serving(Starlette(routes=[Route("/", page)])) as shop:
            key = await server.key("write", shop)
            said, _ = await _heard(browser, shop, "whyleft: props.price_minor")
            assert [line for line in said if "send minor units, like 1250 for 12.50" in line], said


async def _heard(browser: Browser, url: str, awaited: str) -> tuple[list[str], int]:
    """The console's warnings, once one has ``awaited`` in it; how often events were sent for a click after that."""
    context = await browser.new_context(user_agent=PERSON)
    tab = await context.new_page()
    said: list[str] = []
    sent: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "warning":
            said.append(message.text)

    tab.on("console", hear)
    tab.on("request", lambda request: sent.append(request.url) if "/v1/events" in request.url else None)
    await tab.goto(url)

    async def told() -> bool:
        return any(awaited in line for line in said)

    await until(told)
    await tab.wait_for_timeout(1500)
    before = len(sent)
    await tab.mouse.click(5, 5)
    await tab.wait_for_timeout(1500)
    asked = len(sent) - before
    await context.close()
    return said, asked
