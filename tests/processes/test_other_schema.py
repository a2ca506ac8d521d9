"""What an older worker does that nobody stopped before the schema was brought up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg

from adapters.postgres import migrate
from adapters.postgres.engine import DatabaseUrls, conninfo
from insights.settings import Settings
from insights.shipped import shipped
from insights.wiring.services import build
from insights.worker import work
from tests.e2e.server import until

WORK = {"session closer", "flow runner", "flow uptake", "learner"}


def _stamp(urls: DatabaseUrls, revision: str) -> None:
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as owner:
        owner.execute("UPDATE alembic_version SET version_num = %s", [revision])


def _under_way() -> set[str]:
    return WORK & {task.get_name() for task in asyncio.all_tasks()}


async def _all() -> bool:
    return _under_way() == WORK


async def _none() -> bool:
    return not _under_way()


async def test_a_worker_pauses_while_the_schema_is_newer_and_goes_on_once_it_is_its_own(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    services = build(Settings(data_dir=tmp_path), database_urls)
    stop = asyncio.Event()
    worker = asyncio.create_task(work(services, stop))
    await until(_all)
    _stamp(database_urls, "9999")
    await until(_none)
    assert not worker.done()
    said = await services.readiness.missing()
    assert said is not None and "(9999) is newer" in said
    _stamp(database_urls, migrate.revisions(shipped("migrations"))[-1])
    await until(_all)
    stop.set()
    async with asyncio.timeout(30):
        await worker
    assert await _none()
    await services.database.close()


async def test_a_paused_worker_ends_when_it_is_told(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    services = build(Settings(data_dir=tmp_path), database_urls)
    stop = asyncio.Event()
    _stamp(database_urls, "9999")
    worker = asyncio.create_task(work(services, stop))
    async with asyncio.timeout(30):
        await services.readiness.missing()
        stop.set()
        await worker
    _stamp(database_urls, migrate.revisions(shipped("migrations"))[-1])
    await services.database.close()
