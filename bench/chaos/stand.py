"""What is killed: API and worker processes, two of each or more, on a PostgreSQL of their own."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from adapters.postgres import embedded, keeper, migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, DatabaseUrls
from bench.chaos.mother import Forked, Mother
from bench.processes import Process, environment
from insights.access.keys import create_key
from insights.recovery.publish import publish_starter_flows
from insights.settings import Settings
from insights.shipped import shipped
from insights.wiring.secrets import personal_ring

KILLS_A_LIFE = 4
"""After so many kills a server's keeper is started afresh: it pauses longer each time its server dies."""
BACK_WITHIN = 60.0


class Stand:
    """A running installation. ``database`` is the bench's own way in."""

    def __init__(self, folder: Path, server: EmbeddedPostgres, database: Database, project_id: UUID, key: str) -> None:
        self.database = database
        self.project_id = project_id
        self.key = key
        self.apis: list[Process] = []
        self.workers: list[Forked] = []
        self._data = folder / "postgres"
        self._server = server
        self._kills = 0

    async def kill_postgres(self) -> float:
        """kill -9 of the server and all its children; its keeper starts it again. When, by `time.perf_counter`."""
        self._kills += 1
        # By a process of its own: a thread that looks through all processes of the machine holds up the visitors, who
        # live in this one, and what they wait for it would count as a wait for the server.
        postmaster = (self._data / keeper.PID_FILE).read_text().split()[0]
        command = (sys.executable, "-m", "bench.chaos.felling", postmaster)
        felling = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        told, _ = await felling.communicate()
        return float(told)

    async def spare_keeper(self) -> None:
        """Starts the server's keeper afresh when it has seen so many kills that it would pause before the next start.
        The server is stopped and started for it, as nobody kills it."""
        if self._kills and self._kills % KILLS_A_LIFE == 0:
            await asyncio.to_thread(self._server.stop)
            self._server = await asyncio.to_thread(embedded.start, self._data)
            await self.answers()

    async def answers(self) -> None:
        """Returns once every API process is ready."""
        deadline = time.perf_counter() + BACK_WITHIN
        for api in self.apis:
            while not await api.is_ready():
                if time.perf_counter() > deadline:
                    raise SystemExit(f"bench.chaos: an API process was not ready again after {BACK_WITHIN:.0f} s.")
                await asyncio.sleep(0.02)

    def stop(self) -> None:
        """Lets the server go."""
        self._server.stop()


@asynccontextmanager
async def standing(
    folder: Path,
    settings: dict[str, str],
    *,
    apis: int = 2,
    workers: int = 2,
    through: Callable[[DatabaseUrls], Awaitable[DatabaseUrls]] | None = None,
) -> AsyncIterator[Stand]:
    """An installation in ``folder`` with one project and the starter flows, whose pauses are a tenth of a second.
    ``through``: the way that its processes take to the database, where it is not the straight one."""
    server = await asyncio.to_thread(embedded.start, folder / "postgres")
    migrate.upgrade(server.owner_url, shipped("migrations"))
    urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
    database = Database(urls, ring=personal_ring(Settings(data_dir=folder)))
    key = await create_key(database, "chaos", "write", [])
    async with database.transaction(key.project_id) as tx:
        await publish_starter_flows(tx, key.project_id, datetime.now(UTC), wait_scale=1e-6)
    given = environment(await through(urls) if through else urls, folder, **settings)
    stand = Stand(folder, server, database, key.project_id, key.key)
    stand.apis = [Process(given, "api") for _ in range(apis)]
    mother = Mother(given)
    stand.workers = [Forked(mother, given, "worker") for _ in range(workers)]
    try:
        for process in (*stand.apis, *stand.workers):
            process.start()
        for process in (*stand.apis, *stand.workers):
            await process.ready()
        yield stand
    finally:
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in (*stand.apis, *stand.workers)))
        await asyncio.to_thread(mother.stop)
        await database.close()
        await asyncio.to_thread(stand.stop)
