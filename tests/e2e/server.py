"""A whole Whyleft server as its users start it: the `whyleft` command in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from adapters.postgres.engine import DatabaseUrls

WHYLEFT = Path(sys.executable).with_name("whyleft")


class Server:
    """A started server. ``environment`` is also what its other commands need."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self.environment = environment
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Starts it and waits until it can store events."""
        self.process = subprocess.Popen([WHYLEFT, "serve", "--port", str(self.port)], env=self.environment)
        async with httpx.AsyncClient() as client:
            await until(lambda: self._ready(client))

    async def _ready(self, client: httpx.AsyncClient) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the server ended by itself"
        try:
            return (await client.get(f"{self.url}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Asks it to end, if it has not; returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=120)

    async def run(self, *arguments: str) -> str:
        """Runs another command of the program; returns what it printed."""
        done = await asyncio.to_thread(
            subprocess.run, [WHYLEFT, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def key(self, kind: str, *origins: str) -> str:
        """A new key of the project "shop"."""
        allowed = [part for origin in origins for part in ("--origin", origin)]
        printed = await self.run("keys", "create", "--project", "shop", "--kind", kind, "--json", *allowed)
        return str(json.loads(printed)["key"])


@asynccontextmanager
async def serving(urls: DatabaseUrls, data_dir: Path, **settings: str) -> AsyncIterator[Server]:
    """A server on the test's database that closes sessions within seconds."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WHYLEFT_")}
    environment = {
        **inherited,
        "WHYLEFT_DATABASE_URL": urls.app,
        "WHYLEFT_OWNER_DATABASE_URL": urls.owner,
        "WHYLEFT_DATA_DIR": str(data_dir),
        # A module's tests share their database, and with it the key of what they leave in it.
        "WHYLEFT_SECRET": "the secret of all servers of a module's tests",
        "WHYLEFT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "WHYLEFT_SESSION_GRACE_SECONDS": "1",
        **settings,
    }
    server = Server(environment, port)
    try:
        await server.start()
        yield server
    finally:
        server.stop()


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 120.0) -> Any:
    """What ``condition`` returns once it is true. Fails after ``seconds``."""
    for _ in range(int(seconds / 0.1)):
        if value := await condition():
            return value
        await asyncio.sleep(0.1)
    raise AssertionError("it did not happen in time")


def free_port() -> int:
    """A port that nobody listens on, and that no system gives away by itself before it is taken."""
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
