"""How much a key that floods costs the others: one shop's p99 alone, and beside a shop that sends all it can."""

from __future__ import annotations

import asyncio
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.batches import bodies
from bench.load import Run, closed_loop, open_loop
from bench.processes import Process, environment
from insights.access.keys import create_key
from insights.shipped import shipped

RATE = 50.0
FLOOD_ALLOWED = "60"
"""Requests a second that each key may send: more than the quiet one does, far less than the flood tries."""
FLOOD_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Neighbour:
    """p99 in milliseconds, the median of the rounds; of how many requests; what the flood got."""

    alone: float
    beside: float
    requests: int
    flooded: int
    turned_away: int
    errors: int


async def measure(folder: Path, *, rounds: int, seconds: float) -> Neighbour:
    """Alternates quiet and flooded rounds, so that what else the machine does falls on both."""
    server = await asyncio.to_thread(embedded.start, folder / "postgres")
    try:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
        database = Database(urls)
        quiet = (await create_key(database, "quiet", "write", [])).key
        loud = (await create_key(database, "loud", "write", [])).key
        given = environment(urls, folder, WHYLEFT_KEY_REQUESTS_PER_SECOND=FLOOD_ALLOWED, WHYLEFT_BURST_SECONDS="1")
        api = Process(given, "api")
        api.start()
        try:
            await api.ready()
            port = int(api.url.rpartition(":")[2])
            return await _rounds(port, quiet, loud, rounds, seconds)
        finally:
            await asyncio.to_thread(api.stop)
            await database.close()
    finally:
        await asyncio.to_thread(server.stop)


async def _rounds(port: int, quiet: str, loud: str, rounds: int, seconds: float) -> Neighbour:
    alone: list[float] = []
    beside: list[float] = []
    requests = errors = flooded = turned_away = 0
    await _visits(port, quiet, 2.0)
    for _ in range(rounds):
        run = await _visits(port, quiet, seconds)
        alone.append(run.at(0.99))
        errors += run.errors
        flood = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.attack.neighbour", str(port), loud, str(seconds + 1.5)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert flood.stdout is not None
        await flood.stdout.readline()
        await asyncio.sleep(0.5)
        run = await _visits(port, quiet, seconds)
        beside.append(run.at(0.99))
        requests += len(run.latencies)
        errors += run.errors
        sent, refused = (await flood.communicate())[0].split()
        flooded += int(sent)
        turned_away += int(refused)
    return Neighbour(statistics.median(alone), statistics.median(beside), requests, flooded, turned_away, errors)


async def _visits(port: int, key: str, seconds: float) -> Run:
    return await open_loop(port, _path(key), bodies(int(RATE * seconds), a_visit=4), rate=RATE)


def _path(key: str) -> str:
    return f"/v1/events?key={quote(key)}"


async def _flood(port: int, key: str, seconds: float) -> None:
    """In a process of its own, so that what is measured is the server's time and not that of one client."""
    waiting = bodies(4_000, a_visit=4)
    print("begins", flush=True)
    found = await closed_loop(port, _path(key), waiting, connections=FLOOD_CONNECTIONS, seconds=seconds)
    print(len(found.latencies), found.errors)


if __name__ == "__main__":
    asyncio.run(_flood(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
