"""An API and a worker behind a real PgBouncer that hands out single transactions."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import func, select

from adapters.postgres.engine import DatabaseUrlInvalid, DatabaseUrls, conninfo
from insights.models import Event, Insight
from insights.recovery.publish import publish_starter_flows
from tests.e2e.server import free_port, until
from tests.postgres.door import door_to
from tests.processes.conftest import Installation
from tests.processes.started import batch, retried

PGBOUNCER = shutil.which("pgbouncer") or ("/usr/sbin/pgbouncer" if Path("/usr/sbin/pgbouncer").exists() else None)


class Pooler:
    """A PgBouncer before the tests' server, with two connections to it for everybody."""

    def __init__(self, program: str, folder: Path, server_port: int, user: str, database: str) -> None:
        port = free_port()
        self.url = f"postgresql://{user}@127.0.0.1:{port}/whyleft?sslmode=disable"
        self._log = folder / "log"
        users = folder / "users.txt"
        users.write_text(f'"{user}" ""\n')
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\nwhyleft = host=127.0.0.1 port={server_port} dbname={database}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {users}\npool_mode = transaction\ndefault_pool_size = 2\nlogfile = {self._log}\n"
        )
        self._command = [program, str(settings)]
        if os.geteuid() == 0:  # it refuses root
            shutil.chown(folder, "nobody")
            self._command += ["-u", "nobody"]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Returns once a client is answered through it."""
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        await until(self._answers, 10)

    async def kill(self) -> None:
        """Every connection through it breaks, and no new one is taken."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait, 10)

    async def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self._log.read_text()
        try:
            async with await psycopg.AsyncConnection.connect(
                self.url, prepare_threshold=None, connect_timeout=2
            ) as connection:
                await connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture
async def pooler(installation: Installation) -> AsyncIterator[Pooler]:
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    parts = conninfo_to_dict(conninfo(installation.urls.app))
    folder = Path(tempfile.mkdtemp(prefix="whyleft-pgbouncer-"))
    async with door_to(installation.urls.app) as door:
        pooler = Pooler(PGBOUNCER, folder, door.port, str(parts["user"]), str(parts["dbname"]))
        try:
            await pooler.start()
            yield pooler
        finally:
            await pooler.kill()
            shutil.rmtree(folder)


async def test_behind_a_pooler_of_transactions_everything_goes_on_though_the_pooler_dies(
    installation: Installation, pooler: Pooler
) -> None:
    async with installation.database.transaction(installation.project_id) as tx:
        await publish_starter_flows(tx, installation.project_id, datetime.now(UTC))
    settings = {"WHYLEFT_DATABASE_URL": pooler.url, "WHYLEFT_DATABASE_POOLED": "yes"}
    api, worker = await asyncio.gather(
        installation.ready("api", "--workers", "2", **settings), installation.ready("worker", **settings)
    )
    bodies = [batch() for _ in range(100)]
    async with httpx.AsyncClient(timeout=30) as client:
        sent = [asyncio.create_task(retried(client, installation.events(api), body, 60)) for body in bodies]
        await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        await pooler.kill()
        await pooler.start()
        answers = await asyncio.gather(*sent)
        # What was committed when the answer was lost is told as a duplicate.
        assert [answer["accepted"] + answer["duplicates"] for answer in answers] == [3] * len(bodies)

        broken = batch(5)
        for event in broken["events"][1:-1]:
            event.update(type="request_failed", props={"method": "POST", "path": "/api/cart", "status": 500, "ms": 40})
        await retried(client, installation.events(api), broken)

    async def ticket() -> bool:
        tickets = installation.data_dir / "tickets.jsonl"
        return tickets.exists() and "/api/cart" in tickets.read_text()

    async def explained() -> bool:
        async with installation.database.transaction(installation.project_id) as tx:
            return await tx.scalar(select(func.count()).select_from(Insight)) == len(bodies) + 1

    await until(ticket)
    await until(explained)
    async with installation.database.transaction(installation.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Event)) == 3 * len(bodies) + 5
    assert await api.stop() == 0
    assert await worker.stop() == 0


def test_one_login_through_a_pooler_is_refused_with_what_to_do() -> None:
    with pytest.raises(DatabaseUrlInvalid, match="WHYLEFT_OWNER_DATABASE_URL"):
        DatabaseUrls.from_settings("postgresql://owner@localhost/db", pooled=True)
