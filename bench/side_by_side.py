"""What API processes answer side by side, with PostgreSQL and the client on the same cores."""

from __future__ import annotations

import contextlib
import os
import statistics

import psutil
import psycopg

from adapters.postgres.engine import DatabaseUrls, conninfo
from bench.capacity import CONNECTIONS, Plan, capacity
from bench.report import Figure
from bench.running import Cores, Server, up


async def workers(urls: DatabaseUrls, path: str, plan: Plan, environment: dict[str, str], cores: Cores) -> list[Figure]:
    """One process and four, with PostgreSQL and the client on the same cores.

    Each is given what one alone is given: a process with a quarter of the connections waits for its own commits half of
    the time, and four of them then do not show what they can. A long run shows what four do with one's load, and two.
    """
    _place(urls, client=cores.all, database=cores.all)
    every = [Server("whyleft", environment, cores.all, cores.all) for _ in range(4)]
    async with up(*every):
        await capacity(every, path, 1)
        one, two, four, shared = [], [], [], []
        for _ in range(plan.rounds):
            one.append((await capacity(every[:1], path, plan.seconds)).rate)
            four.append((await capacity(every, path, plan.seconds)).rate)
            if plan.long:
                two.append((await capacity(every[:2], path, plan.seconds)).rate)
                shared.append((await capacity(every, path, plan.seconds, connections=CONNECTIONS // 4)).rate)
    _place(urls, client=cores.client, database=cores.database)
    times = statistics.median(all_four / alone for all_four, alone in zip(four, one, strict=True))
    cpus = os.cpu_count()
    found = {
        f"1 process on {cpus} shared cores": one,
        f"2 processes on {cpus} shared cores": two,
        f"4 processes on {cpus} shared cores": four,
        f"4 processes, {CONNECTIONS} connections in all": shared,
    }
    return [
        *(
            Figure(name, round(statistics.median(rates)), "POST/s", n=len(rates))
            for name, rates in found.items()
            if rates
        ),
        Figure("4 processes over 1", round(times, 2), "×", 1.6, times >= 1.6, plan.rounds),
    ]


def _place(urls: DatabaseUrls, *, client: frozenset[int], database: frozenset[int]) -> None:
    """Moves this process and PostgreSQL's to these cores, where the machine has enough to share out."""
    Cores.take(client)
    if database:
        with psycopg.connect(conninfo(urls.owner)) as connection:
            server = psutil.Process(connection.info.backend_pid).parent()
        for process in (server, *server.children()) if server else ():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(process.pid, database)
