"""How fast the flow engine is (steps, starts, claims, cancels, timers, memory), and whether its gate is exact.

`python -m bench.flows [--long] [--json]`: the engine in one process, PostgreSQL, an instance of its own, beside it on
the same cores. Waiting runs: 10,000 and 100,000; --long: 1,000,000 as well, more of everything, and 100,000
purchases that race with a send (--races N: so many).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import structlog
from sqlalchemy import text

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.flow_gate import gate_figures
from bench.flow_stand import Bench, percentile
from bench.report import Figure, option, report
from flows.claims import RunClaims
from flows.ports import Trigger
from flows.starting import start_runs
from flows.triggers import record_conversion
from insights.access.keys import ensure_project
from insights.segments.knowledge import VisitorKnowledge
from insights.shipped import shipped

STEPS_BAR, STARTS_BAR = 5_000, 1_000
CANCEL_BAR_MS, WAKE_BAR_MS = 20.0, 250.0
GROWTH_BAR_MB = 20.0
"""How much the engine may take beside what it had with the fewest runs waiting."""
RACES, RACES_LONG = 400, 100_000
CHAIN = 8
GROUP = 50
"""Triggers in one transaction, as many as sessions that close together."""
PATIENCE = 300.0


async def figures(*, long: bool, races: int) -> list[Figure]:
    """All of them."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
        database = Database(urls)
        try:
            async with database.transaction(None) as tx:
                project_id = await ensure_project(tx, "bench", [])
            bench = Bench(urls, project_id, database)
            chain = {f"s{n}": {"do": "wait", "for": "PT0.001S", "next": f"s{n + 1}"} for n in range(CHAIN)}
            await bench.publish("chain", {**chain, f"s{CHAIN}": {"do": "exit"}})
            await bench.publish("rest", {"s0": {"do": "wait", "for": "P30D"}})
            found = [await _starts(bench, 10_000 if long else 2_000)]
            sizes = [10_000, 100_000, *([1_000_000] if long else [])]
            memory: list[tuple[int, float]] = []
            for size in sizes:
                bench.fill("rest", size - bench.waiting, "now() + interval '20 days' + n * interval '1 second'")
                bench.waiting = size
                found += await _among(bench, size, 2_000 if long else 300)
                found.append(await _steps(bench, 20_000 if long else 3_000, size))
                found.append(await _wakes(bench, 2_000 if long else 300, size))
                gc.collect()
                memory.append((size, psutil.Process().memory_info().rss / 2**20))
            found.append(_memory(memory))
            return [*found, *await gate_figures(bench, races=races, persons=100 if long else 10)]
        finally:
            await database.close()


async def _starts(bench: Bench, runs: int) -> Figure:
    """Triggers that start a run each, in transactions of as many as sessions close together."""
    began = time.perf_counter()
    for first in range(0, runs, GROUP):
        now = datetime.now(UTC)
        triggers = [
            Trigger("insight", f"i:{first + n}", f"g:{first + n}", uuid4(), now, {"insight": {"reason": "rest"}})
            for n in range(min(GROUP, runs - first))
        ]
        async with bench.database.transaction(bench.project_id) as tx:
            await start_runs(tx, bench.project_id, triggers, now, VisitorKnowledge())
    rate = runs / (time.perf_counter() - began)
    return Figure("runs started", round(rate), "runs/s", bar=STARTS_BAR, holds=rate >= STARTS_BAR, n=runs)


async def _steps(bench: Bench, runs: int, waiting: int) -> Figure:
    """Runs that are due all at once, each through a chain of waits too short to be felt."""
    bench.fill("chain", runs, "now()")
    runner = bench.runner()
    began = time.perf_counter()
    left = 1
    while left and time.perf_counter() - began < PATIENCE:
        while await runner.run_due():
            pass
        left = await bench.unfinished("chain")
    seconds = time.perf_counter() - began
    rate = runs * CHAIN / seconds
    name = f"steps that send nothing, {waiting:,} runs waiting"
    return Figure(name, round(rate), "steps/s", bar=STEPS_BAR, holds=rate >= STEPS_BAR and not left, n=runs * CHAIN)


async def _among(bench: Bench, waiting: int, times: int) -> list[Figure]:
    """How long a claim and a cancel by a purchase take while so many runs wait."""
    claims, taken = RunClaims(bench.database), []
    for _ in range(times):
        now = datetime.now(UTC)
        began = time.perf_counter()
        await claims.claim_runs(now, now + timedelta(minutes=1), 50)
        taken.append((time.perf_counter() - began) * 1000)
    async with bench.database.transaction(bench.project_id) as tx:
        rows = await tx.execute(
            text("SELECT visitor_id FROM flow_run WHERE flow_id = :flow AND status = 'waiting' LIMIT :n"),
            {"flow": bench.flows["rest"][0], "n": times},
        )
        visitors = [row[0] for row in rows]
    cancelled, ended = [], 0
    for visitor in visitors:
        began = time.perf_counter()
        async with bench.database.transaction(bench.project_id) as tx:
            ended += await record_conversion(
                tx,
                bench.project_id,
                visitor,
                key=f"order-{visitor}",
                occurred_at=datetime.now(UTC),
                value_minor=100,
                currency="EUR",
                now=datetime.now(UTC),
            )
        cancelled.append((time.perf_counter() - began) * 1000)
    late = percentile(cancelled, 99)
    return [
        Figure(f"a claim that finds nothing due, p50, {waiting:,} waiting", percentile(taken, 50), "ms", n=len(taken)),
        Figure(
            f"a purchase cancels its runs, p50, {waiting:,} waiting", percentile(cancelled, 50), "ms", n=len(cancelled)
        ),
        Figure(
            f"a purchase cancels its runs, p99, {waiting:,} waiting",
            late,
            "ms",
            bar=CANCEL_BAR_MS,
            holds=late <= CANCEL_BAR_MS and ended == len(visitors),
            n=len(cancelled),
        ),
    ]


async def _wakes(bench: Bench, runs: int, waiting: int) -> Figure:
    """How late runs are looked at whose time comes one after the other over three seconds."""
    since = datetime.now(UTC)
    due = f"now() + interval '2 seconds' + n * interval '{3_000 / runs} ms'"
    bench.fill("chain", runs, due, step=f"s{CHAIN - 1}", key=f"({due})::text")
    stop = asyncio.Event()
    serving = asyncio.create_task(bench.runner().serve(stop))
    began = time.perf_counter()
    while await bench.unfinished("chain") and time.perf_counter() - began < 60:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    stop.set()
    await serving
    async with bench.database.transaction(bench.project_id) as tx:
        rows = await tx.execute(
            text(
                # The key of such a run is the time it was to be met.
                "SELECT extract(epoch FROM ended_at - CAST(trigger_key AS timestamptz)) * 1000 FROM flow_run "
                "WHERE flow_id = :flow AND trigger_key LIKE '20%' AND status = 'done' AND started_at >= :since"
            ),
            {"flow": bench.flows["chain"][0], "since": since},
        )
        late = [float(row[0]) for row in rows]
    worst = percentile(late, 99)
    name = f"a timer is met, p99, {waiting:,} waiting"
    return Figure(
        name, worst, "ms late", bar=WAKE_BAR_MS, holds=worst <= WAKE_BAR_MS and len(late) == runs, n=len(late)
    )


def _memory(seen: Sequence[tuple[int, float]]) -> Figure:
    (fewest, least), (most, last) = seen[0], seen[-1]
    growth = round(last - least, 1)
    name = f"memory of the engine, from {fewest:,} to {most:,} waiting"
    return Figure(name, growth, "MB more", bar=GROWTH_BAR_MB, holds=growth <= GROWTH_BAR_MB, n=len(seen))


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    # A poisoned flow says of each failure that it failed, with all that led to it.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    long = "--long" in sys.argv
    races = option("--races", RACES_LONG if long else RACES)
    report("flows", asyncio.run(figures(long=long, races=races)))


if __name__ == "__main__":
    main()
