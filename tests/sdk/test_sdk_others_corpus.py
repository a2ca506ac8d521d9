"""Signals in Firefox and WebKit: the labelled pages make there the signals that they make in Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.sdk import firefox, webkit
from tests.sdk.corpus import CASES, Case, Step
from tests.sdk.site import Site
from tests.sdk.test_sdk_corpus import GROUPS, SHOW, VERDICT_S, WATCHING, faults
from tests.sdk.test_sdk_delivery import HIDE
from tests.sdk.window import Window

pytestmark = pytest.mark.browser

CONTROL = "\ue009"


BROWSERS = 6
"""WebKits at once, which have one window each."""
SELECTED = ("words in the slot of a button",)
"""What WebKit selects when it is clicked fast: others let nobody select what a button shows."""


@pytest.fixture(scope="module")
async def windows(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[asyncio.Queue[Window]]:
    """Windows of a kind of browser for as many pages as are open together."""
    free: asyncio.Queue[Window] = asyncio.Queue()
    async with AsyncExitStack() as open_browsers:
        if request.param == "firefox":
            browser = await open_browsers.enter_async_context(firefox.running(tmp_path_factory.mktemp("firefox")))
            for _ in GROUPS[0]:
                free.put_nowait(await browser.window())
        else:
            for _ in range(BROWSERS):
                home = tmp_path_factory.mktemp("webkit")
                free.put_nowait(await open_browsers.enter_async_context(webkit.running(home)))
        yield free


async def act(window: Window, step: Step) -> None:
    frame = await window.innermost()
    match step:
        case ("click", selector):
            await frame.click(selector)
        case ("rage", selector):
            await frame.click(selector, times=4)
        case ("triple", selector):
            await frame.click(selector, times=3)
        case ("at", x, y):
            await window.point(int(x), int(y), presses=1)
        case ("hover", selector):
            await frame.point(*await frame.middle(selector))
        case ("type", selector, text):
            await frame.click(selector)
            for letter in text:
                await frame.press(letter)
        case ("press", "Control+c"):
            await window.press(CONTROL, "c")
        case ("wait", ms):
            await asyncio.sleep(int(ms) / 1000)
        case ("js", code):
            await window.evaluate(f"void (() => {{ {code} }})()")
        case ("hide",):
            await window.evaluate(f"void (() => {{ {HIDE} }})()")
        case ("show",):
            await window.evaluate(f"void (() => {{ {SHOW} }})()")
        case _:
            raise AssertionError(f"unknown step {step}")


@pytest.mark.parametrize("cases", GROUPS, ids=[group[0].name for group in GROUPS])
@pytest.mark.parametrize("windows", ["firefox", "webkit"], indirect=True)
async def test_each_page_makes_the_signals_on_its_label_in_other_browsers_too(
    request: pytest.FixtureRequest, site: Site, windows: asyncio.Queue[Window], cases: tuple[Case, ...]
) -> None:
    if request.node.callspec.params["windows"] == "webkit":
        cases = tuple(
            replace(case, signals=case.signals | {"text_selected"}) if case.name in SELECTED else case for case in cases
        )

    async def visit(case: Case, path: str) -> None:
        window = await windows.get()
        await window.goto(site.origin + path)
        await window.evaluate(WATCHING)
        await window.activate()
        for step in case.steps:
            await act(window, step)
        await asyncio.sleep(VERDICT_S)
        await window.goto("about:blank")
        windows.put_nowait(window)

    assert not await faults(site, visit, cases), "page: (heard, label)"


def test_every_page_of_the_corpus_is_in_a_group() -> None:
    assert sum(map(len, GROUPS)) == len(CASES)
