"""What the insight pipeline does when its model fails, lies or is talked into things; how fast it is; what it sends.

`python -m bench.insights [--long] [--json]`: everything runs against a scripted OpenAI-compatible server on loopback
and a PostgreSQL of its own, within a minute. --long has more faults and more visits, about two and a half: what is
quoted comes from it. Nothing here is the accuracy of a model: the scripted one knows nothing.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried. ``faults``: visits whose model fails; ``sessions``: visits classified at full speed;
    ``slow``: rounds of twenty visits whose model never ends, a second each."""

    faults: int
    sessions: int
    slow: int


SHORT = Plan(faults=645, sessions=400, slow=5)
LONG = Plan(faults=3_000, sessions=1_500, slow=10)


async def figures(plan: Plan) -> list[Figure]:
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
            found = await faults(database, projects[0], plan.faults)
            found += await throughput(database, projects[1], plan.sessions)
        finally:
            await database.close()
    found += await deadlines(plan.slow)
    for part in (refusals, injected, hostile, canaries, sizes):
        found += await part()
    return found


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    report("insights", asyncio.run(figures(LONG if "--long" in sys.argv else SHORT)))


if __name__ == "__main__":
    main()
