"""How soon POSTs of ten events are answered that come by the clock, at a part of what the server can take.

Servers take turns of a few seconds at the same rate, each from a log of the database that is free to be written again,
and the median of the turns counts. A server that does nothing stands beside: the client, the loopback and whatever else
the machine did in those seconds are in its 99th percentile as they are in ours. So does the disk on its own: what it
takes to keep as many bytes, nobody who answers after a commit can save.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.postgres.engine import DatabaseUrls
from bench import disk
from bench.batches import bodies
from bench.capacity import A_VISIT, Plan, measure
from bench.load import Run, open_loop
from bench.report import Figure
from bench.running import Server
from bench.wear import settle

BARS: Final = {0.3: 4.0, 0.6: 8.0}
"""Part of what the server can take → milliseconds that 99 of 100 requests must keep below."""
THE_DISK: Final = "the disk alone"


async def figures(
    ours: Server, floors: Mapping[str, Server], path: str, loop: float, plan: Plan, urls: DatabaseUrls, folder: Path
) -> list[Figure]:
    """The 50th and 99th percentile at each part of ``loop`` requests a second, and what the commit adds to the 50th.

    ``floors``: name → server at the same rates; "before the commit" is the one that the commit is told from.
    ``folder``: on the database's disk.
    """
    found = []
    for part, bar in BARS.items():
        turns: dict[str, list[Run]] = {name: [] for name in ("ours", *floors, THE_DISK)}
        for _ in range(plan.turns):
            for name, server in {"ours": ours, **floors}.items():
                settle(urls)
                turns[name].append(await _timetable(server, path, loop * part, plan))
            turns[THE_DISK].append(await asyncio.to_thread(disk.commits, folder, loop * part, plan.open_seconds))
        p50, p99 = ({name: _middle(runs, share) for name, runs in turns.items()} for share in (0.5, 0.99))
        name = f"open loop at {part:.0%} ({loop * part:.0f}/s)"
        requests = sum(len(run.latencies) for run in turns["ours"])
        worst = p99.pop("ours")
        adds = p50["ours"] - p50["before the commit"]
        found += [
            Figure(f"{name} p50", p50.pop("ours"), "ms", n=requests, peer=p50),
            Figure(f"{name} p99", worst, "ms", bar, worst <= bar, requests, p99),
        ]
        if part == min(BARS):
            found.append(Figure("what the commit adds to p50", round(adds, 2), "ms", 1.5, adds <= 1.5))
    return found


def _middle(runs: list[Run], share: float) -> float:
    return round(statistics.median(run.at(share) for run in runs), 2)


async def _timetable(server: Server, path: str, rate: float, plan: Plan) -> Run:
    """An open loop at ``rate`` requests a second.

    All visits go on from its begin to its end: a visitor sends twice a second, which is often enough. Of a hundred
    visits each would send every 30 ms, and overtake itself whenever a commit takes as long.
    """
    count = int(rate * plan.open_seconds)
    each = bodies(count, a_visit=A_VISIT, at_once=count // A_VISIT)
    return measure(await open_loop(server.port, path, each, rate=rate), f"{server.kind} at {rate:.0f}/s")
