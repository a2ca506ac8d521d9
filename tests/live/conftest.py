"""A real Redis of one's own, and the two places where profiles stand."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needed import missing


def redis_path() -> str:
    """The system's Redis or Valkey. Without one the test is skipped with the way to get it; on CI it fails."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        missing("Redis is missing: install it (Debian: apt install redis-server).")
    return found


class RedisServer:
    """A server on a free port with a private folder. It can be killed, stopped in its tracks, and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [
                redis_path(),
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(self.folder),
                "--save",
                "",
                *options,
            ],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("redis-server did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self, *options: str) -> None:
        """Killed and started again, with nothing in it."""
        if self.process is not None:
            self.kill()
        self.start(*options)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    if server.process is not None:
        server.kill()


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[RedisServer]:
    """A running server; whatever the test did to it is mended."""
    yield redis_server
    redis_server.restart()


@pytest.fixture(params=["memory", "redis"])
def store_url(request: pytest.FixtureRequest) -> str:
    """WHYLEFT_REDIS_URL of each store that the contract is for."""
    if request.param == "memory":
        return ""
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url
