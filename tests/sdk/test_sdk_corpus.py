"""Signals on a corpus of labelled pages: each page makes exactly the signals on its label."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import BrowserContext, Frame, Page

from tests.sdk.corpus import CASES, JUDGED, Case, Step
from tests.sdk.site import TAG, Site
from tests.sdk.test_sdk_delivery import HIDE

pytestmark = pytest.mark.browser

AT_ONCE = 16
"""Pages that are open together: each waits for the verdict on its last click anyway."""
VERDICT_S = 2.8
SHOW = HIDE.replace("value: true", "value: false").replace("'hidden', config", "'visible', config")
WATCHING = "import('/sdk/whyleft-signals.js').then(() => {})"
"""Done once the signals are watching: it is the same module that the SDK loads."""
Visit = Callable[[Case, str], Awaitable[None]]
"""Opens the page at this path, does what its case says, waits for the verdict and leaves."""
GROUPS = [CASES[start : start + AT_ONCE] for start in range(0, len(CASES), AT_ONCE)]


async def act(page: Page, step: Step) -> None:
    frame: Frame = page.frames[-1]
    match step:
        case ("click", selector):
            await frame.click(selector, force=True, no_wait_after=True)
        case ("rage", selector):
            await frame.click(selector, force=True, click_count=4)
        case ("triple", selector):
            await frame.click(selector, click_count=3)
        case ("at", x, y):
            await page.mouse.click(float(x), float(y))
        case ("hover", selector):
            await frame.hover(selector)
        case ("type", selector, text):
            await frame.type(selector, text)
        case ("press", key):
            await page.keyboard.press(key)
        case ("wait", ms):
            await asyncio.sleep(int(ms) / 1000)
        case ("js", code):
            await page.evaluate(f"() => {{ {code} }}")
        case ("hide",):
            await page.evaluate(HIDE)
        case ("show",):
            await page.evaluate(SHOW)
        case _:
            raise AssertionError(f"unknown step {step}")


async def judged(site: Site, visit: Visit, cases: tuple[Case, ...]) -> dict[str, tuple[list[str], list[str]]]:
    """The cases whose signals are not those of their label: name, what was heard, the label."""
    paths = {f"/page/{len(site.pages)}/{number}": case for number, case in enumerate(cases)}
    for path, case in paths.items():
        site.pages[path] = f"<!doctype html><title>Shop</title>{TAG}{case.body}"
    await asyncio.gather(*(visit(case, path) for path, case in paths.items()))
    await asyncio.sleep(0.3)
    heard: dict[str, set[str]] = {path: set() for path in paths}
    for batch in site.batches:
        path = batch["page"]["url"].removeprefix(site.origin)
        heard.setdefault(path, set()).update(event["type"] for event in batch["events"])
    return {
        case.name: (sorted(heard[path] & JUDGED), sorted(case.signals))
        for path, case in paths.items()
        if heard[path] & JUDGED != case.signals
    }


async def faults(site: Site, visit: Visit, cases: tuple[Case, ...]) -> dict[str, tuple[list[str], list[str]]]:
    """The cases that do not make the signals on their label, also when nothing else goes on."""
    wrong = await judged(site, visit, cases)
    # Many pages side by side take the processor from each other, and a click waits for its effect only so long.
    for case in [case for case in cases if case.name in wrong]:
        if not await judged(site, visit, (case,)):
            del wrong[case.name]
    return wrong


@pytest.mark.parametrize("cases", GROUPS, ids=[group[0].name for group in GROUPS])
async def test_each_page_makes_the_signals_on_its_label(
    site: Site, visitor: BrowserContext, cases: tuple[Case, ...]
) -> None:
    async def visit(case: Case, path: str) -> None:
        page = await visitor.new_page()
        await page.goto(site.origin + path)
        await page.evaluate(WATCHING)
        for step in case.steps:
            await act(page, step)
        await asyncio.sleep(VERDICT_S)
        await page.goto("about:blank")

    assert not await faults(site, visit, cases), "page: (heard, label)"


def test_no_two_pages_of_the_corpus_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
