"""Attacks ourselves: `python -m bench.attack [--long] [--json]`.

Each row of what must hold is tried by its tests, counted, and printed with n; then a key floods beside a quiet one,
and schemathesis asks every operation in every wrong way. Zero failures in n trials bound the rate of failure at 3/n.
The short run leaves out the slow rows; --long takes all of them, three seeds for each kind of key, and the kills of
`bench.chaos`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.attack.fuzz import Fuzzed, fuzz
from bench.attack.neighbour import measure
from bench.attack.rows import ROWS, Row, attempt
from bench.processes import Process, environment
from bench.report import Figure, report
from insights.access.keys import create_key
from insights.shipped import shipped

SEEDS = (1, 2, 3)
OPERATOR = "operator-token-of-thirty-two-letters"
AT_ONCE = 3
MOST_DEARER = 10.0
"""Per cent that a flood may add to a neighbour's p99."""


async def run(long: bool) -> list[Figure]:
    """All figures."""
    figures = await _rows([row for row in ROWS if long or not row.long])
    figures += [Figure(f"{row.name}: {row.number}", None, "not run: --long") for row in ROWS if row.long and not long]
    figures += await _neighbour(long)
    figures += await _fuzz(long)
    if long:
        figures += _chaos()
    return figures


async def _rows(rows: list[Row]) -> list[Figure]:
    # Starting a database takes as long as many a row: few processes, several rows each.
    groups = [rows[number::AT_ONCE] for number in range(AT_ONCE)]
    outcomes = {row: outcome for found in await asyncio.gather(*map(attempt, groups)) for row, outcome in found.items()}
    figures = []
    for row in rows:
        outcome = outcomes[row]
        for name in outcome.broken:
            print(f"  broken: {name}", file=sys.stderr)
        held = not outcome.broken and outcome.tried > 0
        figures.append(Figure(f"{row.name}: {row.number}", len(outcome.broken), "tests", 0, held, outcome.tried))
    return figures


async def _neighbour(long: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        found = await measure(Path(folder), rounds=9 if long else 3, seconds=4.0 if long else 2.0)
    added = 100 * (found.beside / found.alone - 1)
    return [
        Figure("a neighbour's p99 alone", round(found.alone, 2), "ms"),
        Figure("a neighbour's p99 beside a key that floods", round(found.beside, 2), "ms"),
        Figure("what the flood adds to it", round(added, 1), "%", MOST_DEARER, added <= MOST_DEARER, found.flooded),
        Figure("of the flood turned away", found.turned_away, "requests", n=found.flooded),
        Figure("of the neighbour refused", found.errors, "requests", 0, found.errors == 0),
    ]


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A server without limits, and one key of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.to_thread(embedded.start, Path(folder) / "postgres")
        try:
            migrate.upgrade(server.owner_url, shipped("migrations"))
            urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
            database = Database(urls)
            keys = {"none": "", "operator": OPERATOR}
            keys["write"] = (await create_key(database, "fuzzed", "write", [])).key
            keys["admin"] = (await create_key(database, "fuzzed", "secret", [])).key
            await database.close()
            names = ("OPERATION_REQUESTS_PER_SECOND", "KEY_REQUESTS_PER_SECOND", "OPERATIONS_AT_ONCE")
            limits = {f"WHYLEFT_{name}": "0" for name in names}
            given = environment(urls, Path(folder), WHYLEFT_OPERATOR_TOKEN=OPERATOR, **limits)
            async with Process(given, "serve") as process:
                async with httpx.AsyncClient(base_url=process.url) as client:
                    for role in ("editor", "reader"):
                        headers = {"authorization": f"Bearer {keys['admin']}"}
                        made = await client.post("/v1/keys", headers=headers, json={"kind": "secret", "role": role})
                        keys[role] = made.raise_for_status().json()["key"]
                yield process.url, keys
        finally:
            await asyncio.to_thread(server.stop)


async def _fuzz(long: bool) -> list[Figure]:
    few = asyncio.Semaphore(AT_ONCE)
    async with _server() as (url, keys):

        async def one(kind: str, key: str, seed: int) -> Fuzzed:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            async with few:
                if long:
                    phases = ("examples", "coverage", "fuzzing", "stateful")
                    return await fuzz(url, headers, seed=seed, examples=20, phases=phases, seconds=120)
                return await fuzz(url, headers, seed=seed, examples=1, phases=("fuzzing",))

        figures = []
        for kind, key in keys.items():
            found = await asyncio.gather(*(one(kind, key, seed) for seed in (SEEDS if long else SEEDS[:1])))
            faults = [fault for fuzzed in found for fault in fuzzed.faults]
            for fault in faults:
                print(f"  {kind}: {fault}", file=sys.stderr)
            name = f"schemathesis, {kind} key, {len(found)} seeds, {found[0].operations} operations"
            figures.append(Figure(name, len(faults), "faults", 0, not faults, sum(fuzzed.cases for fuzzed in found)))
    return figures


def _chaos() -> list[Figure]:
    done = subprocess.run([sys.executable, "-m", "bench.chaos", "ingest"], capture_output=True, text=True)
    print(done.stdout)
    failed = done.returncode != 0 or "MISSED" in done.stdout
    return [
        Figure("kill -9 of API, worker, PostgreSQL, Redis (bench.chaos ingest)", int(failed), "lost", 0, not failed)
    ]


def main() -> None:
    """Runs it; exits with 1 when a row does not hold."""
    figures = asyncio.run(run("--long" in sys.argv))
    report("attack", figures)
    sys.exit(1 if any(figure.holds is False for figure in figures) else 0)


if __name__ == "__main__":
    main()
