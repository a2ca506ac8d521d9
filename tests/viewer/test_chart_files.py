"""The chart of a report as a file: the picture that the button draws, and the drawing for whoever has no scripts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.demo.serving import serving
from tests.viewer.conftest import Whole
from tests.viewer.test_axe import entered
from tests.viewer.watching import watch

pytestmark = pytest.mark.browser


async def test_the_chart_is_saved_as_a_picture_that_shows_it(whole: Whole, browser: Browser, tmp_path: Path) -> None:
    async with serving(whole.app) as base:
        context = await browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
        seen = await watch(context, base)
        page = await entered(context, base, whole.key)
        await page.goto(f"{base}/app/reports")
        async with page.expect_download() as coming:
            await page.get_by_role("button", name="PNG").click()
        download = await coming.value
        assert download.suggested_filename == "reasons.png"
        await download.save_as(tmp_path / "reasons.png")
        saved = (tmp_path / "reasons.png").read_bytes()
        assert saved[:8] == b"\x89PNG\r\n\x1a\n"
        box = await page.evaluate(
            "(({width, height}) => [width, height])(document.querySelector('svg.shares').viewBox.baseVal)"
        )
        assert list(struct.unpack(">II", saved[16:24])) == [2 * round(side) for side in box]
        # It is drawn on: its reasons have their colours, and its ground is white for whoever pastes it somewhere.
        colours = await page.evaluate(
            """async (bytes) => {
              const picture = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" }));
              const canvas = new OffscreenCanvas(picture.width, picture.height);
              const pen = canvas.getContext("2d");
              pen.drawImage(picture, 0, 0);
              const found = new Map(), all = pen.getImageData(0, 0, picture.width, picture.height).data;
              for (let i = 0; i < all.length; i += 4) {
                const one = `${all[i]},${all[i + 1]},${all[i + 2]},${all[i + 3]}`;
                found.set(one, (found.get(one) || 0) + 1);
              }
              return { ground: [...found].sort((a, b) => b[1] - a[1])[0][0], many: found.size };
            }""",
            list(saved),
        )
        assert colours["ground"] == "255,255,255,255"
        assert colours["many"] > 50
        assert seen.left == [] and seen.stopped == []
        await context.close()


async def test_without_a_script_the_drawing_is_there(whole: Whole, browser: Browser) -> None:
    async with serving(whole.app) as base:
        context = await browser.new_context(java_script_enabled=False, accept_downloads=True)
        page = await context.new_page()
        await page.goto(f"{base}/app/login")
        await page.fill("#key", whole.key)
        await page.get_by_role("button", name="Log in by key").click()
        await page.goto(f"{base}/app/reports")
        await expect(page.get_by_role("button", name="PNG")).to_have_count(0)
        for name, ending in (("SVG", "svg"), ("CSV", "csv")):
            async with page.expect_download() as coming:
                await page.get_by_role("link", name=name, exact=True).click()
            assert (await coming.value).suggested_filename == f"reasons.{ending}"
        await context.close()
