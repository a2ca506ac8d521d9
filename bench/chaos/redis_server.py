"""A Redis of our own, to be killed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

from bench.processes import free_port

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """One server on a free port that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        """Starts it (again); returns once it answers."""
        if PROGRAM is None:
            raise RuntimeError("there is no redis-server or valkey-server on this machine")
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(  # noqa: ASYNC220
            [PROGRAM, *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL
        )
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        raise SystemExit("bench.chaos: redis-server did not come up.")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
