"""What a click costs: the time in the listeners that a script adds, with the processor slowed down by four.

Told twice: the handler, which is every listener of the event `click`, and the whole, which is all between the press and
the selection that a click may move, summed up: pointerdown, mousedown, pointerup, mouseup, click, the focus that goes
and comes, selectionchange. What a script puts off to a timer, a frame or an idle moment is told beside them, as the
longest single piece: it holds up whatever comes next. It is taken in a page of its own, since taking it makes a
script's calls for timers dearer.

The slowing down comes in pieces: Chromium lets the page run for some tenths of a millisecond, then holds it up for as
much as one. A listener of a few microseconds that is caught by one of these reads as most of a millisecond, so the same
is measured of listeners that do nothing, in the same rounds: that is the floor beside which a 95th percentile is read.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Browser, CDPSession, Page

from bench.sdk.shop import Shop
from tests.browser import PERSON

THROTTLE = 4
WARM = 10
"""The first of them is told on its own: it compiles what it runs, and many a page is clicked once."""
COUNTED = 100
SETTLED_S = 2.0
PAUSE_S = 0.02
IDLE = """<script>for (const type of ['pointerdown', 'click'])
addEventListener(type, () => {}, {capture: true, passive: true})</script>"""
"""Listeners that do nothing, at the events that ours hear of a click."""
# Times every listener that a script of the page adds: of each click [those of `click` alone, those of all its events].
TIMED = """{
  const types = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click',
    'focus', 'focusin', 'blur', 'focusout', 'selectionchange'];
  const spent = (window.spent = []);
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    if (!types.includes(type) || !listener) return add.call(this, type, listener, options);
    return add.call(this, type, function (event) {
      const started = performance.now();
      try { return listener.handleEvent ? listener.handleEvent(event) : listener.apply(this, arguments); }
      finally {
        const took = performance.now() - started, now = spent[spent.length - 1];
        now[1] += took;
        if (type === 'click') now[0] += took;
      }
    }, options);
  };
  window.longTasks = 0;
  new PerformanceObserver((list) => { longTasks += list.getEntries().length; }).observe({type: 'longtask'});
}"""
# Times every function that a script of the page has called later.
PUT_OFF = """{
  const putOff = (window.putOff = []);
  const timed = (work) => typeof work !== 'function' ? work : function () {
    const started = performance.now();
    try { return work.apply(this, arguments); } finally { putOff.push(performance.now() - started); }
  };
  for (const name of ['setTimeout', 'setInterval', 'requestAnimationFrame', 'requestIdleCallback', 'queueMicrotask']) {
    const plain = window[name];
    window[name] = (work, ...rest) => plain.call(window, timed(work), ...rest);
  }
  window.MutationObserver = class extends MutationObserver { constructor(work) { super(timed(work)); } };
  window.ResizeObserver = class extends ResizeObserver { constructor(work) { super(timed(work)); } };
  window.spent = [];
}"""
SPOTS = """() => [...document.querySelectorAll('.card button')].map((button) => button.getBoundingClientRect())
  .filter(({bottom}) => bottom < innerHeight).map(({x, y, width, height}) => [x + width / 2, y + height / 2])"""
ABOVE_PX = 24
"""From the middle of a card's button to its price."""


@dataclass
class Clicks:
    """Milliseconds: of each round, but ``plain``, which holds every click that was not slowed down. All but ``handler``
    (a 95th percentile) are of the whole click."""

    handler: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    long_tasks: list[int] = field(default_factory=list)
    put_off: list[float] = field(default_factory=list)
    """The longest piece of what was put off."""


async def click_through(browser: Browser, shops: dict[str, Shop], rounds: int) -> dict[str, Clicks]:
    """Clicks through a page of 500 cards in each shop, in turn. Every other click hits a button, the rest a price.

    Each script has a page of its own in each of ``rounds``; the middle one of its rounds counts.
    """
    found = {name: Clicks() for name in shops}
    for _ in range(rounds):
        for name, shop in shops.items():
            await _round(browser, shop, found[name])
    return found


async def _round(browser: Browser, shop: Shop, clicks: Clicks) -> None:
    async with _visited(browser, shop, TIMED) as (page, session):
        clicks.first.append((await _spent(page, WARM))[0][1])
        await page.evaluate("longTasks = 0")
        handlers, wholes = zip(*await _spent(page, COUNTED), strict=True)
        clicks.handler.append(percentile(handlers, 0.95))
        clicks.p95.append(percentile(wholes, 0.95))
        clicks.p50.append(percentile(wholes, 0.5))
        clicks.long_tasks.append(await page.evaluate("longTasks"))
        await session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        clicks.plain += [whole for _, whole in await _spent(page, COUNTED // 2)]
    async with _visited(browser, shop, PUT_OFF) as (page, _):
        await page.evaluate("putOff.length = 0")
        await _spent(page, COUNTED)
        clicks.put_off.append(max(await page.evaluate("putOff"), default=0.0))


@asynccontextmanager
async def _visited(browser: Browser, shop: Shop, script: str) -> AsyncIterator[tuple[Page, CDPSession]]:
    """A page of the shop in which ``script`` ran first, settled, then slowed down."""
    context = await browser.new_context(user_agent=PERSON, viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    await page.add_init_script(script)
    await page.goto(shop.origin)
    await asyncio.sleep(SETTLED_S)
    session = await context.new_cdp_session(page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    yield page, session
    await context.close()


async def _spent(page: Page, count: int) -> list[tuple[float, float]]:
    """Milliseconds that each of so many clicks took: its handler, and the whole of it."""
    spots: list[tuple[float, float]] = await page.evaluate(SPOTS)
    await page.evaluate("spent.length = 0")
    for number in range(count):
        # Far enough apart: many clicks on one spot would be an angry visitor.
        x, y = spots[number * 7 % len(spots)]
        await page.evaluate("spent.push([0, 0])")
        await page.mouse.click(x, y - (number % 2) * ABOVE_PX)
        await asyncio.sleep(PAUSE_S)
    return [(handler, whole) for handler, whole in await page.evaluate("spent")]


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest of ``values`` that so large a part of them does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * part) - 1)]
