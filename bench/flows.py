"""How fast the flow engine is: steps, starts, claims, cancels, timers, memory.

`python -m bench.flows [--long] [--json]`: the engine in one process, PostgreSQL, an instance of its own, beside it on
the same cores. Waiting runs: 10,000 and 100,000; --long: 1,000,000 as well, and more of everything. About a minute.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import psycopg
from sqlalchemy import text

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from bench.report import Figure, report
from flows.claims import RunClaims
from flows.definition import FlowDefinition
from flows.ports import Trigger
from flows.runner import Runner
from flows.starting import start_runs
from flows.store import publish
from flows.triggers import record_conversion
from insights.access.keys import ensure_project
from insights.conditions.fields import FIELDS
from insights.recovery.audience import VisitorFacts
from insights.recovery.compose import MessageComposer
from insights.recovery.publish import ACTIONS
from insights.segments.knowledge import VisitorKnowledge
from insights.shipped import shipped

STEPS_BAR, STARTS_BAR = 5_000, 1_000
CANCEL_BAR_MS, WAKE_BAR_MS = 20.0, 250.0
GROWTH_BAR_MB = 20.0
"""How much the engine may take beside what it had with the fewest runs waiting."""
CHAIN = 8
GROUP = 50
"""Triggers in one transaction, as many as sessions that close together."""
PATIENCE = 300.0


class Bench:
    """An engine on a database of its own, with one project and two flows: a chain of waits, and one long wait."""

    def __init__(self, urls: DatabaseUrls, project_id: UUID, database: Database) -> None:
        self.urls = urls
        self.project_id = project_id
        self.database = database
        self.flows: dict[str, tuple[UUID, UUID]] = {}
        self.waiting = 0

    async def publish(self, name: str, steps: dict[str, Any]) -> None:
        """Publishes a flow that starts on insights of the reason that is its name."""
        body = {"name": name, "trigger": {"on": "insight", "reasons": [name]}, "start": "s0", "steps": steps}
        async with self.database.transaction(self.project_id) as tx:
            flow = FlowDefinition.model_validate(body)
            version = await publish(tx, self.project_id, flow, datetime.now(UTC), ACTIONS, FIELDS)
            self.flows[name] = version.flow_id, version.id

    def runner(self) -> Runner:
        """The engine as a worker runs it, without channels."""
        return Runner(
            self.database,
            channels={},
            composer=MessageComposer(public_url="http://localhost", shop_url="", signing_secret=b"0" * 32),
            facts=VisitorFacts(),
            knowledge=VisitorKnowledge(),
            clock=lambda: datetime.now(UTC),
        )

    def fill(self, name: str, runs: int, due: str, *, step: str = "s0", key: str = "gen_random_uuid()::text") -> None:
        """Puts runs into the table as if they had come to rest at a step. ``due`` and ``key`` are SQL over ``n``."""
        flow, version = self.flows[name]
        with psycopg.connect(conninfo(self.urls.owner), autocommit=True) as owner:
            owner.execute("SELECT set_config('whyleft.project_id', %s, false)", [str(self.project_id)])
            owner.execute(
                f"""
                INSERT INTO flow_run (project_id, id, flow_id, version_id, visitor_id, trigger_key, trigger_group,
                    triggered_at, facts, exit_on_conversion, status, step, waiting, signalled, due_at, attempts,
                    started_at)
                SELECT %s, gen_random_uuid(), %s, %s, gen_random_uuid(), key, key, now(), '{{"insight": {{}}}}', true,
                    'waiting', %s, true, false, due, 0, now()
                FROM (SELECT {key} AS key, {due} AS due FROM generate_series(1, %s) AS n) AS made
                """,  # noqa: S608  (both are written below)
                [self.project_id, flow, version, step, runs],
            )
            owner.execute("VACUUM ANALYZE flow_run")


async def figures(*, long: bool) -> list[Figure]:
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
            return found
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
        left = await _unfinished(bench, "chain")
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
    late = _percentile(cancelled, 99)
    return [
        Figure(f"a claim that finds nothing due, p50, {waiting:,} waiting", _percentile(taken, 50), "ms", n=len(taken)),
        Figure(
            f"a purchase cancels its runs, p50, {waiting:,} waiting", _percentile(cancelled, 50), "ms", n=len(cancelled)
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
    while await _unfinished(bench, "chain") and time.perf_counter() - began < 60:  # noqa: ASYNC110
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
    worst = _percentile(late, 99)
    name = f"a timer is met, p99, {waiting:,} waiting"
    return Figure(
        name, worst, "ms late", bar=WAKE_BAR_MS, holds=worst <= WAKE_BAR_MS and len(late) == runs, n=len(late)
    )


async def _unfinished(bench: Bench, name: str) -> int:
    async with bench.database.transaction(bench.project_id) as tx:
        given = {"flow": bench.flows[name][0]}
        left = await tx.scalar(
            text("SELECT count(*) FROM flow_run WHERE flow_id = :flow AND due_at IS NOT NULL"), given
        )
        return int(left or 0)


def _memory(seen: Sequence[tuple[int, float]]) -> Figure:
    (fewest, least), (most, last) = seen[0], seen[-1]
    growth = round(last - least, 1)
    name = f"memory of the engine, from {fewest:,} to {most:,} waiting"
    return Figure(name, growth, "MB more", bar=GROWTH_BAR_MB, holds=growth <= GROWTH_BAR_MB, n=len(seen))


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2) if ordered else float("nan")


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    report("flows", asyncio.run(figures(long="--long" in sys.argv)))


if __name__ == "__main__":
    main()
