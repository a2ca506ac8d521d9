"""A site and a visitor's page for every test of the browser SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser import ARGUMENTS, PERSON, chromium_path
from tests.sdk.site import Site, serving


@pytest.fixture(scope="session")
def sdk(repository: Path) -> Path:
    """The built SDK."""
    dist = repository / "sdk-web" / "dist"
    assert (dist / "whyleft.js").is_file(), "The browser SDK is not built: run `make setup`."
    return dist


@pytest.fixture
def site(sdk: Path) -> Iterator[Site]:
    with serving(sdk) as site:
        yield site


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests here; each test has a profile of its own."""
    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A person with an empty profile."""
    context = await chromium.new_context(user_agent=PERSON)
    yield context
    # A context whose page is on the way elsewhere may never say that it closed.
    with suppress(TimeoutError):
        await asyncio.wait_for(context.close(), 5)


@pytest.fixture
async def page(visitor: BrowserContext) -> Page:
    return await visitor.new_page()


@pytest.fixture
async def hurried(page: Page, site: Site) -> None:
    """Saves the tests that are about something else the SDK's patience: `pytestmark = usefixtures("hurried")`."""
    site.hurried = page
