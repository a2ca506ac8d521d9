"""How much a key that floods costs the others: one shop's p99 alone, beside a shop that keeps to what its key may
send, and beside one that sends all it can.

The three take turns of a few seconds in every order, so that what else the machine does falls on all of them, and the
p99 of half a second is taken, the median of all of them: a stall spoils the half second that it falls in, not the
figure. What turns alone differ by among themselves is told too: it is what a comparison wavers by where nobody else
sends at all. That all of a flood hangs up at once has a turn of its own, whose slowest request is told beside that of a
turn alone. The neighbour is a quiet one first, then a busy one: on a server that is nearly idle whatever else it does
at all meets one of the few requests that make a p99. `python -m bench.attack.neighbour [ROUNDS] [--json]` is this part
alone.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE
from asyncio.subprocess import Process as Client
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
import uvloop

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.attack.loud import address
from bench.batches import bodies
from bench.load import Run, open_loop, without_collecting
from bench.processes import Process, environment
from bench.report import Figure, report
from bench.running import Cores
from bench.wear import wear_in
from insights.access.keys import create_key
from insights.shipped import shipped

RATE = 50.0
"""Requests a second that the neighbour sends with each of its keys."""
KEYS = {"quiet": 4, "busy": 24}
"""How many keys: 200 requests a second, and 1,200, which is about a fifth of what the server could take."""
ALLOWED = 60
"""Requests a second that each key may send: more than a quiet one does, far less than the flood tries."""
WITHIN = 58.0
"""What the shop sends that keeps to that."""
LEAD = 0.7
"""Seconds from somebody's beginning until the neighbour is timed: what they may send at once is through by then."""
LONGER = 1.0
"""Seconds for which they outlast its turn: that a flood hangs up falls into a turn by itself. What was taken of it is
stored by the end of that one."""
MOST_DEARER = 10.0
"""Per cent that a flood may add to a neighbour's p99."""
WINDOW = 0.5
"""Seconds; what a quiet neighbour sends 100 requests in."""
DRAWN = 500
SEED = 20261121


Shop = Callable[..., Awaitable[Client]]
"""Starts the loud shop, for so many seconds, at a rate or all it can."""

Turn = list[float]
"""The p99 in milliseconds of each window of a turn."""


@dataclass(frozen=True, slots=True)
class Added:
    """By how many per cent the median window of some turns was above that of others, and between what that lies in 95
    of 100 draws of as many turns."""

    median: float
    low: float
    high: float


@dataclass(slots=True)
class Neighbour:
    """The neighbour's turns: alone, ``within`` beside the shop that keeps to its limit, ``beside`` the flood, ``ends``
    those in which the flood hung up; how many requests it sent in the others; what the flood got."""

    alone: list[Turn] = field(default_factory=list)
    within: list[Turn] = field(default_factory=list)
    beside: list[Turn] = field(default_factory=list)
    ends: list[Turn] = field(default_factory=list)
    requests: int = 0
    flooded: int = 0
    turned_away: int = 0
    errors: int = 0

    @property
    def by_flood(self) -> Added:
        """What the flood adds."""
        return added(self.alone, self.beside)

    @property
    def by_limit(self) -> Added:
        """What the shop that keeps to its limit adds."""
        return added(self.alone, self.within)

    @property
    def over_limit(self) -> Added:
        """What the flood adds to what it is let in for: it sends all else in vain."""
        return added(self.within, self.beside)

    @property
    def by_nothing(self) -> Added:
        """What is between turns without a flood, each second of them and the others."""
        return added(self.alone[::2], self.alone[1::2])


def added(before: Sequence[Turn], after: Sequence[Turn]) -> Added:
    """Compares turns. The interval is the bootstrap's (Efron & Tibshirani 1993, percentiles), of whole turns: windows
    of one turn are not independent."""
    draw = np.random.default_rng(SEED)

    def some(turns: Sequence[Turn]) -> list[Turn]:
        return [turns[one] for one in draw.integers(0, len(turns), len(turns))]

    ratios = [typical(some(after)) / typical(some(before)) for _ in range(DRAWN)]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return Added(*(100 * (float(ratio) - 1) for ratio in (typical(after) / typical(before), low, high)))


def typical(turns: Sequence[Turn]) -> float:
    """The median of all windows."""
    return statistics.median(window for turn in turns for window in turn)


def slowest(turns: Sequence[Turn]) -> float:
    """The slowest request of a turn in milliseconds, the median of turns: a window's p99 is its slowest of 100."""
    return statistics.median(max(turn) for turn in turns)


async def figures(rounds: int) -> list[Figure]:
    """The figures."""
    with tempfile.TemporaryDirectory() as folder:
        measured = await measure(Path(folder), rounds=rounds, seconds=2.0)
    return [figure for kind, found in measured.items() for figure in _figures(f"a {kind} neighbour", found, rounds)]


def _figures(who: str, found: Neighbour, rounds: int) -> list[Figure]:
    flood, limit, over, nothing = found.by_flood, found.by_limit, found.over_limit, found.by_nothing
    each = found.requests // 3
    return [
        Figure(f"{who}: p99 alone", round(typical(found.alone), 2), "ms", n=each),
        Figure(f"{who}: p99 beside a key that floods", round(typical(found.beside), 2), "ms", n=each),
        Figure(f"{who}: alone it wavers by", round(nothing.median, 1), f"%, {_between(nothing)}", n=each),
        Figure(f"{who}: what a key within its limit adds", round(limit.median, 1), f"%, {_between(limit)}", n=each),
        Figure(
            f"{who}: what the flood adds",
            round(flood.median, 1),
            f"%, {_between(flood)}",
            MOST_DEARER,
            flood.median <= MOST_DEARER,
            each,
        ),
        Figure(f"{who}: of that, by what it is refused", round(over.median, 1), f"%, {_between(over)}", n=each),
        Figure(f"{who}: slowest request in a turn alone", round(slowest(found.alone), 1), "ms", n=rounds),
        Figure(f"{who}: slowest in a turn in which the flood hangs up", round(slowest(found.ends), 1), "ms", n=rounds),
        Figure("of the flood turned away", found.turned_away, "requests", n=found.flooded),
        Figure(f"{who}: refused", found.errors, "requests", 0, found.errors == 0),
    ]


def _between(found: Added) -> str:
    return f"{found.low:+.0f} to {found.high:+.0f} in 95 of 100 draws"


async def measure(folder: Path, *, rounds: int, seconds: float) -> dict[str, Neighbour]:
    """Each kind of neighbour (``KEYS``), with ``rounds`` turns of each kind, ``seconds`` each.

    The server, PostgreSQL and the neighbour have cores of their own where there are enough; the loud shop, which gives
    way, is beside PostgreSQL.
    """
    cores = Cores.of_this_machine()
    cores.take(cores.database)
    server = embedded.start(folder / "postgres")
    try:
        cores.take(cores.client)
        migrate.upgrade(server.owner_url, shipped("migrations"))
        urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
        await asyncio.to_thread(wear_in, urls)
        database = Database(urls)
        keys = [(await create_key(database, "neighbour", "write", [])).key for _ in range(max(KEYS.values()))]
        loud = (await create_key(database, "loud", "write", [])).key
        given = environment(urls, folder, WHYLEFT_KEY_REQUESTS_PER_SECOND=str(ALLOWED), WHYLEFT_BURST_SECONDS="1")
        api = Process(given, "api")
        api.start()
        cores.put(api.pid, cores.server)
        try:
            await api.ready()
            port = int(api.url.rpartition(":")[2])
            shop = partial(_client, port, loud, cores.database)
            return {kind: await _rounds(port, keys[:most], shop, rounds, seconds) for kind, most in KEYS.items()}
        finally:
            await asyncio.to_thread(api.stop)
            await database.close()
    finally:
        await asyncio.to_thread(server.stop)
        cores.take(cores.all)


async def _rounds(port: int, keys: Sequence[str], shop: Shop, rounds: int, seconds: float) -> Neighbour:
    found = Neighbour()
    lasts = LEAD + seconds + LONGER
    flood, within = await shop(lasts), await shop(lasts, WITHIN)
    turns = [(None, found.alone), (within, found.within), (flood, found.beside)]
    orders = list(permutations(turns))
    await _visits(port, keys, 2.0)
    for number in range(rounds):
        for client, kind in orders[number % len(orders)]:
            if client is None:
                await asyncio.sleep(LEAD)
                await _noted(port, keys, seconds, found, kind)
                continue
            told = asyncio.create_task(_go(client))
            await asyncio.sleep(LEAD)
            await _noted(port, keys, seconds, found, kind)
            if told.done():
                raise SystemExit("bench: the other shop ended while the neighbour was timed; the machine is too busy.")
            if client is flood:
                found.ends.append(_windows(await _visits(port, keys, seconds), seconds))
            sent, refused = await told
            if client is flood:
                found.flooded += sent
                found.turned_away += refused
    for client in (flood, within):
        assert client.stdin is not None
        client.stdin.close()
        await client.wait()
    return found


async def _client(port: int, key: str, cores: frozenset[int], seconds: float, *rate: float) -> Client:
    words = [str(port), key, str(seconds), *map(str, rate)]
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attack.loud", *words, stdin=PIPE, stdout=PIPE
    )
    Cores.put(client.pid, cores)
    assert client.stdout is not None
    await client.stdout.readline()
    return client


async def _go(client: Client) -> tuple[int, int]:
    """Has it send once: how many requests, how many of them were not taken. It is ready for the next time then."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(b"go\n")
    sent, refused = (await client.stdout.readline()).split()
    await client.stdout.readline()
    return int(sent), int(refused)


async def _noted(port: int, keys: Sequence[str], seconds: float, found: Neighbour, turns: list[Turn]) -> None:
    runs = await _visits(port, keys, seconds)
    turns.append(_windows(runs, seconds))
    found.requests += sum(len(run.latencies) for run in runs)
    found.errors += sum(run.errors for run in runs)


def _windows(runs: Sequence[Run], seconds: float) -> Turn:
    size = int(RATE * WINDOW)
    return [
        Run(latencies=[wait for run in runs for wait in run.latencies[start : start + size]]).at(0.99)
        for start in range(0, int(RATE * seconds), size)
    ]


async def _visits(port: int, keys: Sequence[str], seconds: float) -> list[Run]:
    # Made beforehand: that, and the garbage of it, would be timed as the server's.
    waiting = [bodies(int(RATE * seconds), a_visit=4) for _ in keys]

    # A little apart: keys that send in the same moment would wait for each other.
    async def one(number: int, key: str) -> Run:
        await asyncio.sleep(number / len(keys) / RATE)
        return await open_loop(port, address(key), waiting[number], rate=RATE)

    with without_collecting():
        return await asyncio.gather(*(one(number, key) for number, key in enumerate(keys)))


if __name__ == "__main__":
    wanted = next((int(word) for word in sys.argv[1:] if word.isdigit()), 12)
    # Turns alone are compared among themselves, too.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(figures(max(wanted, 2)))
    report("attack-neighbour", found)
