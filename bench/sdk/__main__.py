"""Sizes, deliveries and click cost of the browser SDK and of six others, in one run.

`python -m bench.sdk [--long] [--json] [--alone]`: a minute and a half, in which our own script is clicked once beside
listeners that do nothing; `--long` clicks the others too, three times each, in some six minutes; `--alone` leaves them
out. They come from npm at pinned versions (`bench/sdk/package-lock.json`). Everything runs on loopback in the system's
Chromium.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from playwright.async_api import Browser, Page, async_playwright

from bench.report import Figure, report
from bench.sdk.clicks import COUNTED, IDLE, THROTTLE, Clicks, click_through, percentile
from bench.sdk.peers import PeersMissing, built
from bench.sdk.shop import BARE, open_shop
from tests.browser import ARGUMENTS, PERSON, chromium_path

T = TypeVar("T")

DIST = Path(__file__).parent.parent.parent / "sdk-web" / "dist"
EVENTS = 30
SIZES = (1000, 3000)
FLOOR = "listeners that do nothing"
SETTLED_S = 2.0
ALL_DONE_S = 6.0
"""By then a script has loaded and said whatever it does by itself."""
ARRIVED_S = 4.0
AT_ONCE = 6
"""How many pages are tried side by side: they mostly wait."""
ROUNDS = 3
"""Of clicks, with `--long`."""
BURST = f"for (let n = 0; n < {EVENTS}; n++) peer.track('evt-' + n + '-' + 'x'.repeat(%d));"
HIDE = """Object.defineProperty(document, 'hidden', {value: true, configurable: true});
Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
document.dispatchEvent(new Event('visibilitychange', {bubbles: true}));"""
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
    clicks: Clicks = field(default_factory=Clicks)
    heap_kb: float = 0.0
    bare_heap_kb: float = 0.0


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


async def deliver(name: str, folders: list[Path], way: str, size: int) -> tuple[int, int]:
    """How many of the events arrived, and in how many requests, when the page is left in this way right after them."""
    # A browser for each trial: a crash takes more with it than its page.
    with open_shop(folders, head_of(name)) as shop:
        async with launched() as browser:
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
            return len(shop.arrived()), shop.requests()


async def heap(name: str, folders: list[Path], path: str) -> float:
    """KB of JavaScript heap that the page at ``path`` holds after a collection."""
    with open_shop(folders, head_of(name)) as shop:
        async with launched() as browser:
            context = await browser.new_context(user_agent=PERSON, viewport={"width": 1280, "height": 900})
            page = await context.new_page()
            await page.goto(shop.origin + path)
            await asyncio.sleep(ALL_DONE_S)
            session = await context.new_cdp_session(page)
            await session.send("HeapProfiler.collectGarbage")
            used: dict[str, Any] = await session.send("Runtime.getHeapUsage")
            return float(used["usedSize"]) / 1024


async def measure(name: str, gzip_bytes: int, folders: list[Path], turns: asyncio.Semaphore) -> Measured:
    """What this script weighs and delivers. ``turns``: how many pages may be tried at once."""

    async def in_turn(trial: Awaitable[T]) -> T:
        async with turns:
            return await trial

    measured = Measured(gzip_bytes)
    ways = (
        {}
        if name == "nothing"
        else {
            f"{way} {size // 1000} KB": deliver(name, folders, way, size)
            for way in ("navigation", "kill")
            for size in SIZES
        }
    )
    (measured.heap_kb, measured.bare_heap_kb), delivered = await asyncio.gather(
        asyncio.gather(*(in_turn(heap(name, folders, path)) for path in ("", BARE))),
        asyncio.gather(*(in_turn(trial) for trial in ways.values())),
    )
    for trial, found in zip(ways, delivered, strict=True):
        measured.arrived[trial], measured.requests[trial] = found
    return measured


async def clicked(names: Iterable[str], folders: list[Path], rounds: int) -> dict[str, Clicks]:
    """The clicks of each script, and of listeners that do nothing."""
    heads = {FLOOR: IDLE} | {name: head_of(name) for name in names}
    with ExitStack() as open_shops:
        shops = {name: open_shops.enter_context(open_shop(folders, head)) for name, head in heads.items()}
        async with launched() as browser:
            return await click_through(browser, shops, rounds)


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser
        await browser.close()


def gzipped(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


async def run(peers: dict[str, int], out: Path, long: bool) -> dict[str, Measured]:
    folders, turns = [DIST, out], asyncio.Semaphore(AT_ONCE)
    sizes = {"nothing": 0, "whyleft": gzipped(DIST / "whyleft.js"), **peers}
    print(f"measuring {len(sizes) - 1} scripts …", file=sys.stderr, flush=True)
    tried = await asyncio.gather(
        *(measure(name, size, folders, turns) for name, size in sizes.items()), return_exceptions=True
    )
    results = {}
    for name, found in zip(sizes, tried, strict=True):
        if isinstance(found, Measured):
            results[name] = found
        elif name in peers:  # one that cannot be driven takes no other number with it
            print(f"{name}: {found}", file=sys.stderr)
        else:
            raise found
    print("measuring clicks …", file=sys.stderr, flush=True)
    names = [name for name in results if name != "nothing"] if long else ["whyleft"]
    for name, clicks in (await clicked(names, folders, ROUNDS if long else 1)).items():
        results.setdefault(name, Measured(0)).clicks = clicks
    nothing = results["nothing"]
    for name, measured in results.items():
        if name not in ("nothing", FLOOR):
            measured.heap_kb = round(measured.heap_kb - nothing.heap_kb, 1)
            measured.bare_heap_kb = round(measured.bare_heap_kb - nothing.bare_heap_kb, 1)
    return results


def figures(results: dict[str, Measured], trouble: str) -> list[Figure]:
    ours = results["whyleft"]
    floor = results[FLOOR].clicks
    peers = {name: found for name, found in results.items() if name not in ("whyleft", "nothing", FLOOR)}
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
        *clicks_of(ours.clicks, {name: found.clicks for name, found in peers.items() if found.clicks.p95}, floor),
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
    ]
    if trouble:
        made.append(Figure("the others", None, trouble))
    return made


def clicks_of(ours: Clicks, peers: dict[str, Clicks], floor: Clicks) -> list[Figure]:
    """What clicks cost, beside the others and beside listeners that do nothing."""
    beside = {FLOOR: floor, **peers}

    def figure(what: str, ours_ms: float, others: dict[str, float], n: int, bar: float | None = None) -> Figure:
        holds = None if bar is None else ours_ms <= bar
        peer = {name: round(value, 2) for name, value in others.items()}
        return Figure(what, round(ours_ms, 2), "ms", bar, holds, n, peer)

    def each(part: Callable[[Clicks], float]) -> tuple[float, dict[str, float]]:
        return part(ours), {name: part(clicks) for name, clicks in beside.items()}

    rounds, slow = len(ours.p95), f"at {THROTTLE}x throttle"
    n = rounds * COUNTED
    tasks = median(ours.long_tasks)
    return [
        figure(f"click handler p95 {slow}", *each(lambda clicks: median(clicks.handler)), n, 1.0),
        figure(f"whole click p95 {slow}", *each(lambda clicks: median(clicks.p95)), n),
        figure(f"whole click p50 {slow}", *each(lambda clicks: median(clicks.p50)), n),
        figure(f"first click of a page {slow}", *each(lambda clicks: median(clicks.first)), rounds),
        figure(f"longest piece of what clicks put off {slow}", *each(lambda clicks: median(clicks.put_off)), rounds),
        figure("whole click p95, nothing slowed down", *each(lambda clicks: percentile(clicks.plain, 0.95)), n // 2),
        figure("whole click p50, nothing slowed down", *each(lambda clicks: percentile(clicks.plain, 0.5)), n // 2),
        Figure(
            "long tasks while clicking",
            tasks,
            "",
            0,
            tasks == 0,
            peer={name: median(clicks.long_tasks) for name, clicks in beside.items()},
        ),
    ]


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
        results = asyncio.run(run(peers, Path(folder), "--long" in sys.argv))
    report("sdk", figures(results, trouble))


if __name__ == "__main__":
    main()
