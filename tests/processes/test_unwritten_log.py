"""A log that cannot be written, on a full disk or in a pipe that nobody reads, ends nothing of what it tells of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest
from sqlalchemy import func, select

from insights.models import Session
from tests.e2e.server import until
from tests.processes.conftest import Installation
from tests.processes.started import Started, batch, environment, retried

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a file that is always full")


@pytest.fixture
def log() -> Iterator[IO[str]]:
    """A file on a disk that is full."""
    with FULL.open("w") as file:
        yield file


async def test_processes_whose_log_is_on_a_full_disk_go_on(installation: Installation, log: IO[str]) -> None:
    settings = environment(installation.urls, installation.data_dir)
    api = Started(settings, "api", log=log)
    worker = Started(settings, "worker", log=log)
    installation.started += [api, worker]
    await api.ready()
    await worker.ready()
    async with httpx.AsyncClient() as client:
        await retried(client, installation.events(api), batch())

    async def closed() -> int:
        async with installation.database.transaction(installation.project_id) as tx:
            count = await tx.scalar(select(func.count()).where(Session.closed_at.is_not(None)))
            return int(count or 0)

    assert await until(closed) == 1
    assert [await process.stop() for process in (api, worker)] == [0, 0]
