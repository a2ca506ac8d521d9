"""Readiness, in every state that a process can be in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from adapters.postgres import migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.readiness import Readiness
from insights.settings import Settings
from insights.shipped import shipped
from insights.wiring.clock import SharedClock
from insights.wiring.services import build
from tests.e2e.server import free_port

REVISIONS = migrate.revisions(shipped("migrations"))


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """A database without a schema."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name}".encode())
        yield DatabaseUrls(owner=postgres.url(name), app=postgres.url(name, "whyleft_app"))
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
async def on_empty(empty: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database(empty)
    yield database
    await database.close()


def _stamp(urls: DatabaseUrls, revision: str) -> None:
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as owner:
        owner.execute("UPDATE alembic_version SET version_num = %s", [revision])


async def test_with_its_schema_and_room_it_is_ready(database: Database) -> None:
    assert await Readiness(database, REVISIONS).missing() is None


async def test_without_a_schema_it_is_starting_and_ready_once_migrated(empty: DatabaseUrls, on_empty: Database) -> None:
    readiness = Readiness(on_empty, REVISIONS)
    stop = asyncio.Event()
    waiting = asyncio.create_task(readiness.wait_for_schema(stop))
    said = await readiness.missing()
    assert said is not None and said.startswith("starting") and "whyleft migrate" in said
    assert not waiting.done()
    await asyncio.to_thread(migrate.upgrade, empty.owner, shipped("migrations"))
    async with asyncio.timeout(20):
        await waiting
    assert not stop.is_set()
    assert await readiness.missing() is None


async def test_an_older_schema_is_starting_also_from_before_it_could_be_read(
    empty: DatabaseUrls, on_empty: Database
) -> None:
    await asyncio.to_thread(migrate.upgrade, empty.owner, shipped("migrations"))
    readiness = Readiness(on_empty, [*REVISIONS, "next"])
    said = await readiness.missing()
    assert said is not None and said.startswith("starting") and "(next)" in said
    with psycopg.connect(conninfo(empty.owner), autocommit=True) as owner:
        owner.execute("REVOKE SELECT ON alembic_version FROM whyleft_app")
    said = await readiness.missing()
    assert said is not None and said.startswith("starting")


async def test_a_newer_schema_is_told_apart(empty: DatabaseUrls, on_empty: Database) -> None:
    await asyncio.to_thread(migrate.upgrade, empty.owner, shipped("migrations"))
    _stamp(empty, "9999")
    said = await Readiness(on_empty, REVISIONS).missing()
    assert said is not None and "(9999) is newer" in said


async def test_a_database_that_is_not_there_is_said() -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    database = Database(DatabaseUrls(owner=nowhere, app=nowhere))
    with capture_logs() as lines:
        assert await Readiness(database, REVISIONS).missing() == "the database cannot be reached"
    await database.close()
    assert [("Connection refused" in line["error"], line["event"]) for line in lines] == [
        (True, "database_not_reached")
    ]


async def test_a_server_that_takes_no_writes_is_not_ready(database_urls: DatabaseUrls) -> None:
    """As a standby does, or a server that its provider set to read only for want of room."""
    reads = "options=-c%20default_transaction_read_only%3Don"
    app = f"{database_urls.app}{'&' if '?' in database_urls.app else '?'}{reads}"
    database = Database(DatabaseUrls(owner=database_urls.owner, app=app))
    said = await Readiness(database, REVISIONS).missing()
    assert said == "the database takes no writes: it is a standby, or set to read only"
    await database.close()


async def test_a_pool_without_a_free_connection_is_not_ready_and_does_not_hang(database_urls: DatabaseUrls) -> None:
    database = Database(database_urls, pool_size=1)
    async with database.transaction(None) as one, database.transaction(None) as other:
        for taken in (one, other):
            await taken.execute(text("SELECT 1"))
        async with asyncio.timeout(10):
            assert await Readiness(database, REVISIONS).missing() == "the database does not answer in time"
    assert await Readiness(database, REVISIONS).missing() is None
    await database.close()


async def test_who_can_take_no_more_is_not_ready(database: Database) -> None:
    why: str | None = "saturated: too many events wait for the database"
    readiness = Readiness(database, REVISIONS, lambda: why)
    assert await readiness.missing() == why
    why = None
    assert await readiness.missing() is None


@pytest.mark.parametrize(("hours", "said"), [(2, "7,200 s ahead of"), (-1, "3,600 s behind"), (0, "")])
async def test_a_clock_that_is_not_the_databases_is_named_to_operators(
    database: Database, hours: int, said: str
) -> None:
    readiness = Readiness(database, REVISIONS, clock=lambda: datetime.now(UTC) + timedelta(hours=hours))
    assert await readiness.missing() is None
    assert said in readiness.ready if said else readiness.ready == "ok"


@pytest.mark.parametrize("days", [365, -365])
async def test_work_goes_by_the_databases_clock_where_the_machines_is_wrong(database: Database, days: int) -> None:
    wrong = timedelta(days=days)
    clock = SharedClock(lambda: datetime.now(UTC) + wrong)
    readiness = Readiness(database, REVISIONS, clock=clock.machine, follow=clock.follow)
    await readiness.missing()
    assert abs(clock() - datetime.now(UTC)) < timedelta(hours=1)
    # Set right, it counts itself again.
    wrong = timedelta()
    await readiness.missing()
    assert (readiness.ready, abs(clock() - clock.machine()) < timedelta(hours=1)) == ("ok", True)


async def test_the_processes_own_work_is_given_that_clock(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    services = build(Settings(data_dir=tmp_path), database_urls)
    services.clock.follow(timedelta(days=365))
    kept = {name: vars(getattr(services, name)) for name in ("closer", "runner", "uptake", "looker", "messenger")}
    assert {name for name, fields in kept.items() if fields.get("_clock") is services.clock} == set(kept)
    await services.database.close()


async def test_who_drains_is_not_ready_whatever_the_database_says(database: Database) -> None:
    readiness = Readiness(database, REVISIONS)
    readiness.drain()
    said = await readiness.missing()
    assert said is not None and said.startswith("draining")


def test_the_revisions_are_those_of_the_migrations_oldest_first(repository: Path) -> None:
    names = sorted(path.name.split("_")[3] for path in (repository / "migrations" / "versions").glob("*.py"))
    assert names == REVISIONS
