"""An API and a worker behind a real PgBouncer that hands out single transactions."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import func, select

from adapters.postgres.engine import DatabaseUrlInvalid, DatabaseUrls, conninfo
from insights.models import Event, Insight
from tests.e2e.server import free_port, until
from tests.postgres.door import door_to
from tests.processes.conftest import Installation
from tests.processes.started import batch, retried

PGBOUNCER = shutil.which("pgbouncer") or ("/usr/sbin/pgbouncer" if Path("/usr/sbin/pgbouncer").exists() else None)


@pytest.fixture
async def pooled(installation: Installation) -> AsyncIterator[str]:
    """The application's URL through PgBouncer, which has two connections for everybody."""
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    parts = conninfo_to_dict(conninfo(installation.urls.app))
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="whyleft-pgbouncer-"))
    async with door_to(installation.urls.app) as door:
        users = folder / "users.txt"
        users.write_text(f'"{parts["user"]}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\nwhyleft = host=127.0.0.1 port={door.port} dbname={parts['dbname']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {users}\npool_mode = transaction\ndefault_pool_size = 2\nlogfile = {folder / 'log'}\n"
        )
        command = [PGBOUNCER, str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:  # it refuses root
            shutil.chown(folder, "nobody")
            command += ["-u", "nobody"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        url = f"postgresql://{parts['user']}@127.0.0.1:{port}/whyleft?sslmode=disable"

        async def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                async with await psycopg.AsyncConnection.connect(
                    url, prepare_threshold=None, connect_timeout=2
                ) as connection:
                    await connection.execute("SELECT 1")
            except psycopg.OperationalError:
                return False
            return True

        try:
            await until(answers, 10)
            yield url
        finally:
            process.kill()
            await asyncio.to_thread(process.wait, 10)
            shutil.rmtree(folder)


async def test_behind_a_pooler_of_transactions_everything_goes_on(installation: Installation, pooled: str) -> None:
    settings = {"WHYLEFT_DATABASE_URL": pooled, "WHYLEFT_DATABASE_POOLED": "yes"}
    api = await installation.ready("api", "--workers", "2", **settings)
    worker = await installation.ready("worker", **settings)
    bodies = [batch() for _ in range(60)]
    async with httpx.AsyncClient(timeout=30) as client:
        answers = await asyncio.gather(*(retried(client, installation.events(api), body) for body in bodies))
    assert [answer["accepted"] for answer in answers] == [3] * len(bodies)

    async def closed() -> bool:
        async with installation.database.transaction(installation.project_id) as tx:
            return await tx.scalar(select(func.count()).select_from(Insight)) == len(bodies)

    await until(closed)
    async with installation.database.transaction(installation.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Event)) == 3 * len(bodies)
    assert await api.stop() == 0
    assert await worker.stop() == 0


def test_one_login_through_a_pooler_is_refused_with_what_to_do() -> None:
    with pytest.raises(DatabaseUrlInvalid, match="WHYLEFT_OWNER_DATABASE_URL"):
        DatabaseUrls.from_settings("postgresql://owner@localhost/db", pooled=True)
