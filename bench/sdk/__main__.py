"""Sizes, deliveries and click cost of the browser SDK and of six others, in one run.

`python -m bench.sdk [--json] [--alone]`: about seven minutes; `--alone` leaves the others out. They come from npm at
pinned versions (`bench/sdk/package-lock.json`). Everything runs on loopback in the system's Chromium.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from bench.report import Figure, report
from bench.sdk.peers import PeersMissing, built
from bench.sdk.shop import BARE, Shop, open_shop
from tests.browser import ARGUMENTS, PERSON, chromium_path

DIST = Path(__file__).parent.parent.parent / "sdk-web" / "dist"
EVENTS = 30
SIZES = (1000, 3000)
CLICKS = 60
ROUNDS = 5
"""Of clicks: the quietest one counts, since whatever else the machine does only ever adds."""
THROTTLE = 4
SETTLED_S = 2.0
ALL_DONE_S = 6.0
"""By then a script has loaded and said whatever it does by itself."""
ARRIVED_S = 4.0
BURST = f"for (let n = 0; n < {EVENTS}; n++) peer.track('evt-' + n + '-' + 'x'.repeat(%d));"
HIDE = """Object.defineProperty(document, 'hidden', {value: true, configurable: true});
Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
document.dispatchEvent(new Event('visibilitychange', {bubbles: true}));"""
# Times every listener that a script of the page adds, summed over the events of one click.
TIMED = """{
  const types = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'], spent = (window.spent = []);
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    if (!types.includes(type) || !listener) return add.call(this, type, listener, options);
    return add.call(this, type, function (event) {
      const started = performance.now();
      try { return listener.handleEvent ? listener.handleEvent(event) : listener.apply(this, arguments); }
      finally { spent[spent.length - 1] += performance.now() - started; }
    }, options);
  };
  window.longTasks = 0;
  new PerformanceObserver((list) => { longTasks += list.getEntries().length; }).observe({type: 'longtask'});
}"""
OURS = """<script src=/whyleft.js data-key=wl_w_bench></script>
<script>window.peer = {track: (text) => whyleft.track('searched', {text})}</script>"""
UMAMI = """<script src=/umami.js data-website-id=shop data-host-url=ORIGIN></script>
<script>window.peer = {track: (text) => umami.track('searched', {text})}</script>"""


@dataclass
class Measured:
    """What one script weighs, delivers and costs."""

    gzip: int
    arrived: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    click_p95_ms: float = 0.0
    click_p50_ms: float = 0.0
    heap_kb: float = 0.0
    bare_heap_kb: float = 0.0
    long_tasks: int = 0


def head_of(name: str) -> str:
    if name == "nothing":
        return "<script>window.peer = {track() {}}</script>"
    if name == "whyleft":
        return OURS
    return UMAMI if name == "umami" else f"<script src=/{name}.js></script><script>peer.start('ORIGIN')</script>"


async def crash(page: Page) -> None:
    session = await page.context.new_cdp_session(page)
    crashed = asyncio.get_running_loop().create_future()
    page.once("crash", lambda _: crashed.set_result(None))
    command = asyncio.ensure_future(session.send("Page.crash"))
    await asyncio.wait_for(crashed, 10)
    command.cancel()


async def deliver(shop: Shop, way: str, size: int) -> tuple[int, int]:
    """How many of the events arrived, and in how many requests, when the page is left in this way right after them."""
    # A browser for each trial: a crash takes more with it than its page.
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        page = await (await browser.new_context(user_agent=PERSON)).new_page()
        await page.goto(shop.origin)
        await asyncio.sleep(SETTLED_S)
        shop.bodies.clear()
        if way == "navigation":
            await page.evaluate(BURST % size + "location.href = '/next'")
        else:
            await page.evaluate(BURST % size + HIDE)
            await asyncio.sleep(0.1)
            await crash(page)
        for _ in range(int(ARRIVED_S / 0.05)):
            if len(shop.arrived()) == EVENTS:
                break
            await asyncio.sleep(0.05)
        found = len(shop.arrived()), shop.requests()
        await browser.close()
    return found


async def click(browser: Browser, shop: Shop, measured: Measured) -> None:
    """Clicks through a page of 500 cards on a processor slowed down by four."""
    context = await browser.new_context(user_agent=PERSON, viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    await page.add_init_script(TIMED)
    await page.goto(shop.origin)
    await asyncio.sleep(SETTLED_S)
    session = await context.new_cdp_session(page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    rounds: list[tuple[float, float, int]] = []
    for _ in range(ROUNDS):
        await page.evaluate("longTasks = spent.length = 0")
        for number in range(CLICKS):
            await page.evaluate("spent.push(0)")
            await page.mouse.click(40 + 150 * (number % 8), 120 + 75 * (number % 9))
            await asyncio.sleep(0.02)
        spent: list[float] = sorted(await page.evaluate("spent"))
        rounds.append((spent[int(CLICKS * 0.95)], spent[CLICKS // 2], await page.evaluate("longTasks")))
    best = min(rounds)
    measured.click_p95_ms, measured.click_p50_ms, measured.long_tasks = round(best[0], 2), round(best[1], 2), best[2]
    await context.close()


async def heap(browser: Browser, address: str) -> float:
    """KB of JavaScript heap that this page holds after a collection."""
    context = await browser.new_context(user_agent=PERSON, viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    await page.goto(address)
    await asyncio.sleep(ALL_DONE_S)
    session = await context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    used: dict[str, Any] = await session.send("Runtime.getHeapUsage")
    await context.close()
    return float(used["usedSize"]) / 1024


async def measure(name: str, gzip_bytes: int, folders: list[Path]) -> Measured:
    measured = Measured(gzip_bytes)
    with open_shop(folders, head_of(name)) as shop:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
            await click(browser, shop, measured)
            measured.heap_kb = await heap(browser, shop.origin)
            measured.bare_heap_kb = await heap(browser, shop.origin + BARE)
            await browser.close()
        if name == "nothing":
            return measured
        for way in ("navigation", "kill"):
            for size in SIZES:
                trial = f"{way} {size // 1000} KB"
                measured.arrived[trial], measured.requests[trial] = await deliver(shop, way, size)
    return measured


def gzipped(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


async def run(peers: dict[str, int], out: Path) -> dict[str, Measured]:
    folders = [DIST, out]
    results = {"nothing": await measure("nothing", 0, folders)}
    for name, size in {"whyleft": gzipped(DIST / "whyleft.js"), **peers}.items():
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            results[name] = await measure(name, size, folders)
        except Exception as error:  # a peer that cannot be driven takes no other number with it
            print(f"{name}: {error}", file=sys.stderr)
            if name == "whyleft":
                raise
    nothing = results["nothing"]
    for name, measured in results.items():
        if name != "nothing":
            measured.heap_kb = round(measured.heap_kb - nothing.heap_kb, 1)
            measured.bare_heap_kb = round(measured.bare_heap_kb - nothing.bare_heap_kb, 1)
    return results


def figures(results: dict[str, Measured], trouble: str) -> list[Figure]:
    ours = results["whyleft"]
    peers = {name: found for name, found in results.items() if name not in ("whyleft", "nothing")}
    render, signals = gzipped(DIST / "whyleft-render.js"), gzipped(DIST / "whyleft-signals.js")
    made = [
        Figure("core", ours.gzip, "B gzip", 4400, ours.gzip <= 4400, peer={n: p.gzip for n, p in peers.items()}),
        Figure("signals chunk", signals, "B gzip", 6100, signals <= 6100),
        Figure("renderer chunk", render, "B gzip", 3000, render <= 3000),
    ]
    for trial, arrived in ours.arrived.items():
        others = {name: found.arrived[trial] for name, found in peers.items()}
        made.append(Figure(f"arrived, {trial}", arrived, "events", EVENTS, arrived == EVENTS, n=EVENTS, peer=others))
        count = ours.requests[trial]
        others = {name: found.requests[trial] for name, found in peers.items()}
        made.append(Figure(f"requests, {trial}", count, "requests", 3, count <= 3, peer=others))
    made += [
        Figure(
            f"click p95 at {THROTTLE}x throttle",
            ours.click_p95_ms,
            "ms",
            1.0,
            ours.click_p95_ms <= 1,
            n=CLICKS * ROUNDS,
            peer={name: found.click_p95_ms for name, found in peers.items()},
        ),
        Figure(
            f"click p50 at {THROTTLE}x throttle",
            ours.click_p50_ms,
            "ms",
            n=CLICKS,
            peer={name: found.click_p50_ms for name, found in peers.items()},
        ),
        Figure(
            "heap, in a shop with a script of its own",
            ours.heap_kb,
            "KB",
            150,
            ours.heap_kb <= 150,
            peer={name: found.heap_kb for name, found in peers.items()},
        ),
        Figure(
            "heap, in a page without any other script",
            ours.bare_heap_kb,
            "KB",
            peer={name: found.bare_heap_kb for name, found in peers.items()},
        ),
        Figure(
            "long tasks while clicking",
            ours.long_tasks,
            "",
            0,
            ours.long_tasks == 0,
            peer={name: found.long_tasks for name, found in results.items() if name != "whyleft"},
        ),
    ]
    if trouble:
        made.append(Figure("the others", None, trouble))
    return made


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    if not (DIST / "whyleft.js").is_file():
        raise SystemExit("bench.sdk: the browser SDK is not built; run `make setup`.")
    with tempfile.TemporaryDirectory() as folder:
        peers: dict[str, int] = {}
        trouble = "left out: --alone" if "--alone" in sys.argv else ""
        if not trouble:
            try:
                peers = built(Path(folder))
            except PeersMissing as error:
                trouble = f"not measured: {error}"
        results = asyncio.run(run(peers, Path(folder)))
    report("sdk", figures(results, trouble))


if __name__ == "__main__":
    main()
