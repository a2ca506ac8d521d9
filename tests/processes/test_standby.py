"""A warm standby, as docs/operate.md tells to keep one: it is read with tenants kept apart, and takes over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import func, select, text
from sqlalchemy.exc import InternalError

from adapters.postgres import binaries, embedded, migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.access.keys import create_key
from insights.models import Event, Insight
from insights.shipped import shipped
from tests.e2e.server import until
from tests.postgres.processes import eventually, run, server_pid
from tests.processes.conftest import Installation
from tests.processes.started import batch, retried


@dataclass
class Pair:
    """A server, and one that follows it: a commit returns once both have it."""

    primary: EmbeddedPostgres
    standby: EmbeddedPostgres

    @property
    def urls(self) -> DatabaseUrls:
        """Both servers in one URL: whichever takes writes."""
        hosts = ",".join(str(conninfo_to_dict(conninfo(one.app_url))["host"]) for one in (self.primary, self.standby))
        query = f"host={hosts}&port=5432,5432&target_session_attrs=read-write"
        return DatabaseUrls(
            owner=f"postgresql://postgres@/whyleft?{query}", app=f"postgresql://whyleft_app@/whyleft?{query}"
        )

    def fail_over(self) -> None:
        """The first dies for good, the second is told to take its place."""
        server = psutil.Process(server_pid(self.primary.data_dir))
        keeper = server.parent()
        assert keeper is not None
        keeper.kill()  # it would start the first one again, and both would take writes
        server.kill()
        run(conninfo(self.standby.url("postgres")), "SELECT pg_promote()")


def _followed(primary: EmbeddedPostgres, folder: Path) -> EmbeddedPostgres:
    """A second server that was copied from the first and keeps up with it."""
    access = primary.data_dir / "conf" / "pg_hba.conf"
    access.write_text(f"{access.read_text()}local replication postgres trust\n")
    owner = conninfo(primary.owner_url)
    run(owner, "SELECT pg_reload_conf()")
    copy = folder / "cluster"
    program = str(binaries.find().root / "bin" / "pg_basebackup")
    socket = str(conninfo_to_dict(owner)["host"])
    subprocess.run([program, "-h", socket, "-U", "postgres", "-D", str(copy), "-R", "--checkpoint=fast"], check=True)
    made_by = (primary.data_dir / "cluster").stat()
    for path in [copy, *copy.rglob("*")]:
        os.chown(path, made_by.st_uid, made_by.st_gid, follow_symlinks=False)
    standby = embedded.start(folder)
    eventually(lambda: run(owner, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1)
    run(owner, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    run(owner, "SELECT pg_reload_conf()")
    return standby


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="whyleft-pair-") as place:
        folders = [Path(place, name) for name in ("first", "second")]
        # The second server finds the socket of the first, as whoever root has it run as.
        for folder in (Path(place), *folders):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        with embedded.start(folders[0]) as primary:
            migrate.upgrade(primary.owner_url, shipped("migrations"))
            with await asyncio.to_thread(_followed, primary, folders[1]) as standby:
                yield Pair(primary, standby)


@pytest.fixture
async def installation(pair: Pair, tmp_path: Path) -> AsyncIterator[Installation]:
    database = Database(pair.urls)
    key = await create_key(database, "shop", "write", [])
    installation = Installation(database, pair.urls, tmp_path / "data", key.project_id, key.key)
    yield installation
    for process in installation.started:
        await process.stop()
    await database.close()


async def test_a_standby_is_read_by_project_and_never_written(pair: Pair, installation: Installation) -> None:
    api = await installation.ready("api")
    async with httpx.AsyncClient(timeout=30) as client:
        await retried(client, installation.events(api), batch())
    followed = Database(DatabaseUrls(owner=pair.standby.owner_url, app=pair.standby.app_url))
    try:

        async def seen() -> bool:
            return await _events(followed, installation.project_id) == 3

        await until(seen)
        assert await _events(followed, uuid4()) == 0
        with pytest.raises(InternalError, match="read-only transaction"):
            async with followed.transaction(installation.project_id) as tx:
                await tx.execute(text("DELETE FROM event"))
    finally:
        await followed.close()


async def test_a_standby_that_takes_over_has_all_that_was_acknowledged_and_processes_go_on(
    pair: Pair, installation: Installation
) -> None:
    api, worker = await asyncio.gather(installation.ready("api"), installation.ready("worker"))
    bodies: list[dict[str, Any]] = [batch() for _ in range(100)]
    async with httpx.AsyncClient(timeout=30) as client:
        sent = [asyncio.create_task(retried(client, installation.events(api), body, 60)) for body in bodies]
        await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(pair.fail_over)
        answers = await asyncio.gather(*sent)
    assert [answer["accepted"] + answer["duplicates"] for answer in answers] == [3] * len(bodies)
    await api.ready()
    await worker.ready()

    async def explained() -> bool:
        async with installation.database.transaction(installation.project_id) as tx:
            return await tx.scalar(select(func.count()).select_from(Insight)) == len(bodies)

    await until(explained)
    assert await _events(installation.database, installation.project_id) == 3 * len(bodies)
    assert await api.stop() == 0
    assert await worker.stop() == 0


async def _events(database: Database, project_id: UUID) -> int:
    async with database.transaction(project_id) as tx:
        return await tx.scalar(select(func.count()).select_from(Event)) or 0
