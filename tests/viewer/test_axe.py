"""Every page of the viewer, light, dark and on a phone, by the rules of axe: nothing serious."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.demo.serving import serving
from tests.viewer.conftest import Whole

pytestmark = pytest.mark.browser

AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(({impact}) => impact === 'serious' || impact === 'critical')
  .map(({id, nodes}) => `${id}: ${nodes.map(one => `${one.target} ${one.failureSummary}`).join(' | ')}`)"""


async def serious(page: Page, repository: Path) -> list[Any]:
    """What axe calls serious or worse."""
    await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    await page.add_script_tag(path=repository / "sdk-web/node_modules/axe-core/axe.min.js")
    return list(await page.evaluate(AXE))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
async def test_nothing_serious_on_any_page(
    whole: Whole, browser: Browser, repository: Path, scheme: str, width: int
) -> None:
    async with serving(whole.app) as base:
        context = await browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            bypass_csp=True,
        )
        page = await context.new_page()
        await page.goto(f"{base}/app/login")
        assert await serious(page, repository) == []
        await page.fill("#key", whole.key)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        for path in whole.pages():
            await page.goto(f"{base}/app{path}")
            await page.wait_for_load_state("networkidle")
            assert await serious(page, repository) == [], path
        await context.close()
