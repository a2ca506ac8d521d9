"""A key that floods, in a process of its own that gives way: what is measured is the server's time, not a client's.

`python -m bench.attack.flood PORT KEY SECONDS` says "ready", floods once for a line that it reads, and answers with
how many requests it sent and how many of them were not taken; then it gets ready again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from urllib.parse import quote

from bench.batches import bodies
from bench.load import closed_loop

CONNECTIONS = 500
MOST = 4_000
"""Requests of one flood: more than it ever comes to."""


def address(key: str) -> str:
    """Where a key's events go."""
    return f"/v1/events?key={quote(key)}"


def _flood(port: int, key: str, seconds: float) -> None:
    os.nice(19)
    waiting = _ready()
    for _ in sys.stdin:
        found = asyncio.run(
            closed_loop(port, address(key), waiting, connections=CONNECTIONS, seconds=seconds, leaves=True)
        )
        print(len(found.latencies), found.errors, flush=True)
        waiting = _ready()


def _ready() -> list[bytes]:
    # New ones for each flood: what is stored already costs less to store again.
    waiting = bodies(MOST, a_visit=4)
    print("ready", flush=True)
    return waiting


if __name__ == "__main__":
    _flood(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
