"""Runs the measured servers on cores of their own, and reads what the system says of them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from bench.load import until_up


@dataclass(frozen=True, slots=True)
class Cores:
    """Which processor cores run what. Empty sets where there are too few to share out, or the system cannot."""

    server: frozenset[int]
    database: frozenset[int]
    client: frozenset[int]
    all: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Cores:
        """One core for the server, two for PostgreSQL, one for the client."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(frozenset(), frozenset(), frozenset(), frozenset())
        mine = sorted(os.sched_getaffinity(0))
        if len(mine) < 4:
            return cls(frozenset(), frozenset(), frozenset(), frozenset(mine))
        return cls(frozenset(mine[:1]), frozenset(mine[1:3]), frozenset(mine[3:4]), frozenset(mine))

    @staticmethod
    def take(cores: frozenset[int]) -> None:
        """Moves this process, and those it will start, to ``cores``."""
        Cores.put(0, cores)

    @staticmethod
    def put(pid: int, cores: frozenset[int]) -> None:
        """Moves another process there, all its threads."""
        if cores:
            for thread in psutil.Process(pid or None).threads():
                os.sched_setaffinity(thread.id, cores)


class Server:
    """A server of ``bench.server``; see ``up``. ``loads``, ``serves``: the cores it has until it answers, and then."""

    _process: asyncio.subprocess.Process | None = None
    _seen: psutil.Process

    def __init__(self, kind: str, environment: dict[str, str], loads: frozenset[int], serves: frozenset[int]) -> None:
        self.kind = kind
        self.port = free_port()
        self._environment = {**os.environ, **environment, "OPENBLAS_NUM_THREADS": "1"}
        self._loads, self._serves = loads, serves

    async def start(self) -> None:
        """Returns when it answers."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.server", self.kind, "--port", str(self.port), env=self._environment
        )
        Cores.put(self._process.pid, self._loads)
        self._seen = psutil.Process(self._process.pid)
        await until_up(self.port)
        Cores.put(self._process.pid, self._serves)

    async def stop(self) -> None:
        """Returns when it has ended."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def cpu_seconds(self) -> float:
        """Processor time used so far, in user and kernel mode."""
        used = self._seen.cpu_times()
        return used.user + used.system

    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(self._seen.memory_info().rss)


@asynccontextmanager
async def up(*servers: Server) -> AsyncIterator[None]:
    """All of them, started and stopped at once, are up within the block."""
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
