"""What the insight pipeline does when its model fails, lies or is talked into things; how fast it is; what it sends.

`python -m bench.insights [--json]`: everything runs against a scripted OpenAI-compatible server on loopback and a
PostgreSQL of its own, about two minutes. Nothing here is the accuracy of a model: the scripted one knows nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import structlog

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.insights.failing import deadlines, faults, refusals
from bench.insights.pace import throughput
from bench.insights.sizes import sizes
from bench.insights.strangers import canaries, hostile, injected
from bench.report import Figure, report
from insights.access.keys import ensure_project
from insights.shipped import shipped
from insights.worker import ensure_partitions


async def figures() -> list[Figure]:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        database = Database(DatabaseUrls(owner=server.owner_url, app=server.app_url), pool_size=20)
        try:
            await ensure_partitions(database)
            projects = []
            for name in ("faults", "speed"):
                async with database.transaction(None) as tx:
                    projects.append(await ensure_project(tx, name, []))
            found = await faults(database, projects[0])
            found += await throughput(database, projects[1])
        finally:
            await database.close()
    for part in (refusals, deadlines, injected, hostile, canaries, sizes):
        found += await part()
    return found


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    report("insights", asyncio.run(figures()))


if __name__ == "__main__":
    main()
