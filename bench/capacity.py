"""How many POSTs of ten events servers answer a second; each must be answered 200."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bench.batches import bodies
from bench.load import Run, closed_loop
from bench.running import Server

CONNECTIONS = 48
A_VISIT = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure: ``rounds`` of so many ``seconds`` of a closed loop, ``turns`` of so many of an open one."""

    rounds: int
    seconds: float
    turns: int
    open_seconds: float
    visits: int
    """In the browser. With fewer than 20, the slowest of them would stand for the slowest twentieth."""
    long: bool = False


def measure(run: Run, what: str) -> Run:
    """``run`` if every answer was 200. Raises SystemExit with the first that was not."""
    if run.errors:
        raise SystemExit(f"bench.ingest: {what}: {run.errors} of {len(run.latencies)} failed: {run.first_error}")
    return run


async def capacity(
    servers: Sequence[Server],
    path: str,
    seconds: float,
    a_visit: int = A_VISIT,
    been_here: bool = False,
    connections: int = CONNECTIONS,
) -> Run:
    """A closed loop against all ``servers`` at once, over so many ``connections`` to each."""
    batches = [bodies(int(12_000 * seconds), a_visit=a_visit, been_here=been_here) for _ in servers]
    runs = await asyncio.gather(
        *(
            closed_loop(server.port, path, each, connections=connections, seconds=seconds)
            for server, each in zip(servers, batches, strict=True)
        )
    )
    together = Run(seconds=max(run.seconds for run in runs))
    for run in runs:
        together.latencies += run.latencies
        together.errors += run.errors
        together.first_error = together.first_error or run.first_error
    return measure(together, servers[0].kind)
