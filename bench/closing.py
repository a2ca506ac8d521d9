"""How many sessions a second one `whyleft worker` closes, explains by evidence and hands to the flows.

`python -m bench.closing [--long] [--json]`: ended visits of five kinds with the starter flows published,
all due at once; one worker process, then two, work them off while PostgreSQL, an instance of its own, runs beside them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psutil
from sqlalchemy import text

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.processes import Process, environment
from bench.report import Figure, report
from bench.visits import visits
from insights.access.keys import ensure_project
from insights.classification.closing import WAKE_CHANNEL
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.recovery.publish import publish_starter_flows
from insights.shipped import shipped

SESSIONS, SESSIONS_LONG = 3_000, 20_000
BAR = 500
PATIENCE = 300.0

_OPEN = "SELECT count(*) FROM session WHERE closed_at IS NULL"
_UNDER_WAY = "SELECT count(*) FROM flow_run WHERE due_at <= now() AND status IN ('waiting', 'sending')"
_DUE = "UPDATE session SET close_at = now()"


async def figures(sessions: int) -> list[Figure]:
    """The figures of one worker on ``sessions`` visits, and of two on as many."""
    one, figures_of_one = await _run(sessions, 1)
    two, _ = await _run(sessions, 2)
    cpus = os.cpu_count()
    return [
        *figures_of_one,
        Figure(f"two workers, PostgreSQL on the same {cpus} cores", round(two), "sessions/s", n=sessions),
        Figure("two workers over one", round(two / one, 2), "×"),
    ]


async def _run(sessions: int, workers: int) -> tuple[float, list[Figure]]:
    """Sessions a second of so many workers on an instance of their own, and the figures."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
        database = Database(urls)
        try:
            project_id = await fill(database, sessions)
            async with AsyncExitStack() as stack:
                started = [
                    await stack.enter_async_context(Process(environment(urls, Path(folder)), "worker"))
                    for _ in range(workers)
                ]
                return await _measure(database, project_id, sessions, [psutil.Process(one.pid) for one in started])
        finally:
            await database.close()


async def fill(database: Database, sessions: int) -> UUID:
    """A project with the starter flows and ``sessions`` ended visits that are not due yet; returns its id."""
    now = datetime.now(UTC)
    async with database.transaction(None) as tx:
        project_id = await ensure_project(tx, "bench", [])
    async with database.transaction(project_id) as tx:
        await publish_starter_flows(tx, project_id, now)
    times = SessionTimes(quiet=timedelta(days=1), grace=timedelta(days=1))
    recorder = Recorder(database, times=times, max_queued=sessions * 20)
    recorder.start()
    try:
        await asyncio.gather(*(recorder.record(entry) for entry in visits(project_id, sessions, now)))
    finally:
        await recorder.stop()
    return project_id


async def _measure(
    database: Database, project_id: UUID, sessions: int, workers: Sequence[psutil.Process]
) -> tuple[float, list[Figure]]:
    before = sum(_cpu_seconds(worker) for worker in workers)
    async with database.transaction(project_id) as tx:
        await tx.execute(text(_DUE))
        await tx.execute(text(f"NOTIFY {WAKE_CHANNEL}"))
    began = time.perf_counter()
    closed = await _until_none(database, project_id, _OPEN, began)
    rested = await _until_none(database, project_id, _UNDER_WAY, began)
    used = sum(_cpu_seconds(worker) for worker in workers) - before
    async with database.transaction(project_id) as tx:
        insights = await tx.scalar(text("SELECT count(*) FROM insight WHERE superseded_at IS NULL"))
        runs = await tx.scalar(text("SELECT count(*) FROM flow_run"))
        events = await tx.scalar(text("SELECT count(*) FROM event"))
    rate = sessions / closed
    return rate, [
        Figure("closed, explained, runs started", round(rate), "sessions/s", bar=BAR, holds=rate >= BAR, n=sessions),
        Figure("and every run on its way", round(sessions / max(closed, rested)), "sessions/s", n=runs),
        Figure(
            "insights without a session or more than one",
            abs(sessions - (insights or 0)),
            "",
            bar=0,
            holds=insights == sessions,
            n=insights,
        ),
        Figure("processor time of the worker a session", round(used / sessions * 1000, 2), "ms", n=sessions),
        Figure("events a session", round((events or 0) / sessions, 1), ""),
        Figure("runs a session", round((runs or 0) / sessions, 2), ""),
    ]


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _until_none(database: Database, project_id: UUID, query: str, began: float) -> float:
    """Seconds since ``began`` when ``query`` counts nothing any more."""
    while time.perf_counter() - began < PATIENCE:
        async with database.transaction(project_id) as tx:
            if await tx.scalar(text(query)) == 0:
                return time.perf_counter() - began
        await asyncio.sleep(0.05)
    raise SystemExit(f"bench.closing: the worker was not done after {PATIENCE:.0f} s.")


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    report("closing", asyncio.run(figures(SESSIONS_LONG if "--long" in sys.argv else SESSIONS)))


if __name__ == "__main__":
    main()
