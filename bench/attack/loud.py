"""A shop that shares a server with a quiet one, in a process of its own that gives way: what is measured is the
server's time, not a client's.

`python -m bench.attack.loud PORT KEY SECONDS [RATE]` says "ready", sends for as long for a line that it reads, and
answers with how many requests it sent and how many of them were not taken; then it gets ready again. It sends RATE
requests a second, or without one floods: all it can over many connections, on which it hangs up at the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from urllib.parse import quote

from bench.batches import bodies
from bench.load import Run, closed_loop, open_loop

CONNECTIONS = 500
MOST = 4_000
"""Requests of one flood: more than it ever comes to."""


def address(key: str) -> str:
    """Where a key's events go."""
    return f"/v1/events?key={quote(key)}"


def _serve(port: int, key: str, seconds: float, rate: float | None) -> None:
    os.nice(19)
    count = MOST if rate is None else int(rate * seconds)
    waiting = _ready(count)
    for _ in sys.stdin:
        found = asyncio.run(_send(port, key, waiting, seconds, rate))
        print(len(found.latencies), found.errors, flush=True)
        waiting = _ready(count)


async def _send(port: int, key: str, waiting: list[bytes], seconds: float, rate: float | None) -> Run:
    if rate is not None:
        return await open_loop(port, address(key), waiting, rate=rate)
    return await closed_loop(port, address(key), waiting, connections=CONNECTIONS, seconds=seconds, leaves=True)


def _ready(count: int) -> list[bytes]:
    # New ones each time: what is stored already costs less to store again.
    waiting = bodies(count, a_visit=4)
    print("ready", flush=True)
    return waiting


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else None)
