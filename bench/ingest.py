"""The events endpoint beside its floors: the whole loop (key, dedupe, profile, intent, decision, log, commit).

`python -m bench.ingest [--long] [--json]`. POSTs of ten events (2.1 KB) over loopback; server, PostgreSQL and client on
cores of their own where the machine has four. Floors and peers run in the same call, in turn with ours, and medians of
the rounds are compared. A minute, for a glance; --long takes more and longer rounds and follows memory over a million
events: what is quoted comes from it.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench import browser_loop, live_memory, offering, open_loops, write_path
from bench.batches import EVENTS, bodies
from bench.capacity import A_VISIT, CONNECTIONS, Plan, capacity, measure
from bench.load import closed_loop
from bench.report import Figure, report
from bench.running import Cores, Server, free_port, up
from bench.side_by_side import workers
from bench.wear import settle, wear_in
from insights.access.keys import create_key
from insights.shipped import shipped
from insights.worker import ensure_partitions

TOKEN = "bench"  # noqa: S105 - of a server that lives for a minute
SHORT = Plan(rounds=3, seconds=0.4, turns=1, open_seconds=1.0, visits=20)
LONG = Plan(rounds=5, seconds=2.0, turns=5, open_seconds=3.0, visits=60, long=True)
CEILINGS = {"decode": 10, "profile": 20, "intent": 30, "rank": 30, "encode": 10}
"""Milliseconds that each stage may take at most: it must show a tenth of that. The commit has figures of its own."""


async def http(urls: DatabaseUrls, cores: Cores, plan: Plan, environment: dict[str, str], folder: Path) -> list[Figure]:
    """All figures that go through HTTP. ``folder``: on the database's disk."""
    database = Database(urls)
    await ensure_partitions(database)
    made = await create_key(database, "bench", "write", [])
    await database.close()
    path = f"/v1/events?key={made.key}"
    offered = await offering.shop(urls)
    environment = environment | {"BENCH_PROJECT": str(made.project_id), "WHYLEFT_METRICS_TOKEN": TOKEN}
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        floor, ours, unwritten, _ = every = [
            Server(kind, environment, cores.all, cores.server) for kind in ("no-op", "whyleft", "unwritten", "plain")
        ]
        redis = await stack.enter_async_context(_redis(cores))
        shared = environment | {"WHYLEFT_REDIS_URL": redis, "WHYLEFT_REDIS_TIMEOUT_SECONDS": "2"}
        stored = Server("whyleft", shared, cores.all, cores.server) if redis else None
        await stack.enter_async_context(up(*every, *([stored] if stored else [])))
        rates: dict[str, list[float]] = {server.kind: [] for server in every}
        new: list[float] = []
        unknown: list[float] = []
        weighed: list[float] = []
        cpu: list[float] = []
        await capacity([ours], path, 1)  # what is compiled and prepared once does not count
        await offering.open_for_everybody(ours.port, offered)
        await capacity([ours], offered.path, 1)
        for _ in range(plan.rounds):
            for server in every:
                before = server.cpu_seconds()
                run = await capacity([server], path, plan.seconds)
                rates[server.kind].append(run.rate)
                if server is ours:
                    cpu.append((server.cpu_seconds() - before) / len(run.latencies) / EVENTS * 1e6)
        for _ in range(plan.rounds if plan.long else 1):
            new.append((await capacity([ours], path, plan.seconds, a_visit=1)).rate)
            unknown.append((await capacity([ours], path, plan.seconds, a_visit=1, been_here=True)).rate)
            weighed.append((await capacity([ours], offered.path, plan.seconds)).rate)
        middle = {kind: statistics.median(each) for kind, each in rates.items()}
        no_op, loop = middle["no-op"], middle["whyleft"]
        shares = [ours / floor for ours, floor in zip(rates["whyleft"], rates["no-op"], strict=True)]
        share = statistics.median(shares)
        before_commit = middle["unwritten"] / no_op
        rounds = plan.rounds
        figures += [
            Figure("no-op on the same server", round(no_op), "POST/s", n=rounds),
            Figure("whole loop", round(loop), "POST/s", n=rounds, peer={"FastAPI route": round(middle["plain"])}),
            Figure("whole loop, share of the no-op", round(share, 3), "", 0.30, share >= 0.30, rounds),
            Figure("before the commit, share", round(before_commit, 3), "", 0.40, before_commit >= 0.40, rounds),
            Figure("every visitor new, share", round(statistics.median(new) / no_op, 3), "", n=len(new)),
            Figure("every visitor looked for, share", round(statistics.median(unknown) / no_op, 3), "", n=len(new)),
            Figure(
                "every visit is offered something, share",
                round(statistics.median(weighed) / no_op, 3),
                "",
                n=len(weighed),
                peer={"decisions logged": await offering.logged(urls, offered)},
            ),
        ]
        used = statistics.median(cpu)
        figures.append(Figure("CPU of the server an event", round(used, 1), "µs", 30, used <= 30, rounds))
        settle(urls)
        passed = await passes(ours)
        figures += await open_loops.figures(
            ours, {"no-op": floor, "before the commit": unwritten}, path, loop, plan, urls, folder
        )
        figures += stages(passed, await passes(ours))
        figures += await live_stores(ours, stored, path, plan)
        figures += await memory(ours, path, plan)
        figures += await browser_loop.figures(urls, ours, cores, plan.visits)
    settle(urls)
    figures += await workers(urls, path, plan, environment, cores)
    return figures


Passes = dict[str, dict[float, float]]
"""Stage → milliseconds → how many requests stayed below so far."""


async def passes(server: Server) -> Passes:
    """The server's own histograms."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answer = await client.get(f"http://127.0.0.1:{server.port}/metrics")
    counts: Passes = {}
    for family in text_string_to_metric_families(answer.raise_for_status().text):
        for sample in family.samples:
            if sample.name == "whyleft_stage_seconds_bucket":
                counts.setdefault(sample.labels["stage"], {})[float(sample.labels["le"]) * 1000] = sample.value
    return counts


def stages(before: Passes, after: Passes) -> list[Figure]:
    """What 99 of 100 requests kept below in each stage during the open loops.

    With every connection busy all the time, as in the closed loop, a stage's time is mostly its wait for the processor.
    """
    figures = []
    for stage, buckets in after.items():
        seen = {bound: count - before[stage][bound] for bound, count in sorted(buckets.items())}
        total = max(seen.values())
        below = next(bound for bound, count in seen.items() if count >= 0.99 * total)
        ceiling = CEILINGS.get(stage)
        bar, holds = (None, None) if ceiling is None else (ceiling / 10, below <= ceiling / 10)
        figures.append(Figure(f"stage {stage}: p99 below", below, "ms", bar, holds, int(total)))
    return figures


async def live_stores(ours: Server, stored: Server | None, path: str, plan: Plan) -> list[Figure]:
    """Live profiles in Redis beside those in memory."""
    if stored is None:
        return [Figure("Redis store, share of the dict's", None, "redis-server is not there", 0.60)]
    await capacity([stored], path, 1)
    shares = []
    for _ in range(plan.rounds):
        in_memory = (await capacity([ours], path, plan.seconds)).rate
        shares.append((await capacity([stored], path, plan.seconds)).rate / in_memory)
    share = statistics.median(shares)
    return [Figure("Redis store, share of the dict's", round(share, 3), "", 0.60, share >= 0.60, plan.rounds)]


@asynccontextmanager
async def _redis(cores: Cores) -> AsyncIterator[str]:
    """A Redis beside PostgreSQL: its URL, or nothing where there is none to start."""
    if shutil.which("redis-server") is None:
        yield ""
        return
    port = free_port()
    words = ("--port", str(port), "--bind", "127.0.0.1", "--save", "")
    redis = await asyncio.create_subprocess_exec("redis-server", *words, stdout=asyncio.subprocess.DEVNULL)
    try:
        cores.put(redis.pid, cores.database)
        yield f"redis://127.0.0.1:{port}"
    finally:
        redis.terminate()
        await redis.wait()


async def memory(server: Server, path: str, plan: Plan) -> list[Figure]:
    """What the server holds more after so many events of so many visitors."""
    events = 1_000_000 if plan.long else 100_000
    before = server.memory_bytes()
    for _ in range(5):
        each = bodies(events // EVENTS // 5, a_visit=A_VISIT)
        measure(await closed_loop(server.port, path, each, connections=CONNECTIONS, seconds=600), "memory")
    grown = server.memory_bytes() - before
    return [Figure("memory grown", round(grown / 2**20, 1), f"MB over {events:,} events of {events // 100:,} visitors")]


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    plan = LONG if "--long" in sys.argv else SHORT
    cores = Cores.of_this_machine()
    with tempfile.TemporaryDirectory() as folder:
        cores.take(cores.database)
        with embedded.start(Path(folder) / "postgres") as postgres:
            cores.take(cores.client)
            migrate.upgrade(postgres.owner_url, shipped("migrations"))
            urls = DatabaseUrls(owner=postgres.owner_url, app=postgres.app_url)
            wear_in(urls)
            environment = {
                "WHYLEFT_DATA_DIR": folder,
                "WHYLEFT_DATABASE_URL": urls.app,
                "WHYLEFT_OWNER_DATABASE_URL": urls.owner,
                "WHYLEFT_LOG_LEVEL": "error",
                "WHYLEFT_MAX_QUEUED_EVENTS": "10000000",  # for the one that does not wait for its commits
            }
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                figures = runner.run(http(urls, cores, plan, environment, Path(folder)))
                settle(urls)
                figures += runner.run(write_path.figures(urls, plan.rounds))
    figures += live_memory.figures()
    report("ingest", figures)


if __name__ == "__main__":
    main()
