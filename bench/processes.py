"""Processes of the `whyleft` command that a bench starts, kills and starts again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

from adapters.postgres.engine import DatabaseUrls

WHYLEFT = Path(sys.executable).with_name("whyleft")
UP_WITHIN = 60.0


def environment(urls: DatabaseUrls, data_dir: Path, **settings: str) -> dict[str, str]:
    """What the processes of one installation are given: nothing of the shell's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WHYLEFT_")}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")])),
        "OPENBLAS_NUM_THREADS": "1",
        "WHYLEFT_DATABASE_URL": urls.app,
        "WHYLEFT_OWNER_DATABASE_URL": urls.owner,
        "WHYLEFT_DATA_DIR": str(data_dir),
        "WHYLEFT_LOG_LEVEL": "error",
        **settings,
    }


class Process:
    """``whyleft COMMAND``, ready within the block. ``url`` is where it answers, if it is one that does."""

    def __init__(self, environment: dict[str, str], command: str, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._operators = f"127.0.0.1:{free_port()}"
        listens = ["--port", str(self.port)] if command in ("api", "serve") else []
        self._command = [str(WHYLEFT), command, *arguments, *listens]
        self._environment = {**environment, "WHYLEFT_METRICS_BIND": self._operators}
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Process:
        self.start()
        await self.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def metrics_url(self) -> str:
        """Where it says how it fares."""
        return f"http://{self._operators}/metrics"

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError("the process was not started")
        return self._process.pid

    def start(self) -> None:
        """Starts it (again)."""
        self._process = subprocess.Popen(self._command, env=self._environment)

    async def ready(self) -> float:
        """Seconds until it says that it is."""
        began = time.perf_counter()
        while time.perf_counter() - began < UP_WITHIN:
            if not self.is_alive():
                break
            if await self.is_ready():
                return time.perf_counter() - began
            await asyncio.sleep(0.05)
        raise SystemExit(f"bench: `{' '.join(self._command[1:])}` did not come up; run it to see why.")

    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    async def is_ready(self) -> bool:
        """Whether it says so now."""
        async with httpx.AsyncClient(timeout=3) as client:
            try:
                return (await client.get(f"http://{self._operators}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM; kill -9 when it does not end."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
