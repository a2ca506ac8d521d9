"""Processes of the ``whyleft`` command on one database, and what a client sends to them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import httpx

from adapters.postgres.engine import DatabaseUrls
from insights.vocabulary.ids import uuid7
from tests.e2e.server import WHYLEFT, free_port, until


def environment(urls: DatabaseUrls, data_dir: Path, **settings: str) -> dict[str, str]:
    """What every process of one installation is given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WHYLEFT_")}
    inherited.pop("PYTHONUNBUFFERED", None)  # few operators set it, and it changes what becomes of a log
    return {
        **inherited,
        "WHYLEFT_DATABASE_URL": urls.app,
        "WHYLEFT_OWNER_DATABASE_URL": urls.owner,
        "WHYLEFT_DATA_DIR": str(data_dir),
        # A module's tests share their database, and with it the key of what they leave in it.
        "WHYLEFT_SECRET": "the secret of all processes of a module's tests",
        "WHYLEFT_SESSION_GRACE_SECONDS": "1",
        **settings,
    }


class Started:
    """One started process: ``whyleft COMMAND``, with a port for operators and, if it is an API, one for shops."""

    def __init__(
        self,
        environment: dict[str, str],
        *arguments: str,
        log: IO[str] | int = subprocess.PIPE,
        through: Sequence[str] = (),
    ) -> None:
        """``log``: where its lines go; ``through``: the command that starts it."""
        self.operators = f"http://127.0.0.1:{free_port()}"
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [*through, str(WHYLEFT), *arguments]
        if arguments[0] in ("api", "serve"):
            command += ["--port", self.url.rpartition(":")[2]]
        bind = self.operators.removeprefix("http://")
        self.process = subprocess.Popen(
            command, env={**environment, "WHYLEFT_METRICS_BIND": bind}, stderr=log, text=True
        )

    async def ready(self) -> None:
        """Returns once it is ready."""

        async def answer() -> bool:
            assert self.process.poll() is None, self.process.communicate()[1]
            return await self.readiness() == (200, "ok")

        await until(answer)

    async def readiness(self) -> tuple[int, str] | None:
        """Status and sentence of /readyz as operators see it; None while nobody answers."""
        said: tuple[int, str] | None = await self.ask(
            "/readyz", lambda answer: (answer.status_code, str(answer.json()["status"]))
        )
        return said

    async def metrics(self) -> str:
        """What Prometheus would read now."""
        text = await self.ask("/metrics", lambda answer: answer.text)
        assert text is not None
        return str(text)

    async def ask(self, path: str, read: Callable[[httpx.Response], Any]) -> Any:
        async with httpx.AsyncClient(timeout=5) as client:
            try:
                return read(await client.get(self.operators + path))
            except httpx.TransportError:
                return None

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def ended(self, seconds: float = 120) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, seconds)

    async def stop(self) -> int:
        """SIGTERM; the exit code. Once it has ended, does nothing."""
        if self.process.poll() is None:
            self.signal()
        code = await self.ended()
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def batch(events: int = 3, **other: Any) -> dict[str, Any]:
    """A visit that ends with session_ended."""
    now = int(time.time() * 1000)
    kinds = ["page_viewed", *["clicked"] * (events - 2), "session_ended"]
    return {
        "visitor": str(uuid4()),
        "session": str(uuid7(now)),
        "tab": "t",
        "events": [
            {"id": str(uuid7(now)), "t": now + number, "seq": number, "type": kind, "props": {}}
            for number, kind in enumerate(kinds)
        ],
        **other,
    }


async def retried(client: httpx.AsyncClient, url: str, body: dict[str, Any], seconds: float = 120) -> dict[str, Any]:
    """Sends the same batch until it is acknowledged, as the SDK does."""

    async def acknowledged() -> dict[str, Any] | None:
        try:
            answer = await client.post(url, json=body)
        except httpx.TransportError:
            return None
        assert answer.status_code in (200, 503), answer.text
        return answer.json() if answer.status_code == 200 else None

    return dict(await until(acknowledged, seconds))
