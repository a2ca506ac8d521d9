"""A backup that was restored is the same installation: what docs/operate.md says to do, done."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from adapters.postgres import binaries, migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, DatabaseUrls, connect_options, conninfo
from bench.visits import FAILS, visit
from insights.access.key_ring import KeyRing
from insights.access.keys import create_key
from insights.cli.trouble import told
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.shipped import shipped

_TABLES = """
SELECT c.relname FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
_SECURITY = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, array_agg(p.polname ORDER BY p.polname)
FROM pg_class AS c LEFT JOIN pg_policy AS p ON p.polrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace GROUP BY c.oid ORDER BY c.relname
"""


async def _run(program: str, *arguments: str) -> None:
    command = [str(binaries.find().root / "bin" / program), *arguments]
    await asyncio.to_thread(subprocess.run, command, check=True)


def _counts(url: str) -> dict[str, int]:
    """Rows by table, seen by a superuser."""
    with psycopg.connect(conninfo(url)) as owner:
        names = [row[0] for row in owner.execute(_TABLES).fetchall()]
        counted = {}
        for name in names:
            row = owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
            counted[name] = row[0] if row else 0
        return counted


def _security(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo(url)) as owner:
        return owner.execute(_SECURITY).fetchall()


@pytest.fixture
def new_owner(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A login of another name than the one that owned what was dumped, and no superuser."""
    name = f"other_{uuid4().hex}"
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN CREATEROLE".encode())
        owner.execute(f"GRANT whyleft_app TO {name}".encode())
        yield name
        owner.execute(f"DROP ROLE {name}".encode())


async def test_what_was_dumped_and_restored_is_whole_goes_on_and_keeps_tenants_apart(
    postgres: EmbeddedPostgres, database: Database, database_urls: DatabaseUrls, new_owner: str, tmp_path: Path
) -> None:
    key = await create_key(database, "shop", "write", [])
    other = await create_key(database, "another shop", "write", [])
    recorder = Recorder(database, times=SessionTimes(), max_queued=1_000)
    recorder.start()
    first = visit(key.project_id, FAILS, datetime.now(UTC))
    await recorder.record(first)
    await recorder.record(visit(other.project_id, FAILS, datetime.now(UTC)))
    await recorder.stop()

    dump, name = tmp_path / "whyleft.dump", f"restored_{uuid4().hex}"
    await _run("pg_dump", "--format=custom", f"--file={dump}", conninfo(database_urls.owner))
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} OWNER {new_owner}".encode())
    seen_by_all, restored = postgres.url(name), DatabaseUrls.from_settings(postgres.url(name, new_owner))
    into = ("--no-owner", f"--role={new_owner}", f"--dbname={conninfo(seen_by_all)}")
    try:
        await _run("pg_restore", "--exit-on-error", *into, str(dump))
        migrate.upgrade(restored.owner, shipped("migrations"))
        migrate.check(restored.owner, shipped("migrations"))
        assert _counts(seen_by_all) == _counts(database_urls.owner)
        assert _security(seen_by_all) == _security(database_urls.owner)
        await _goes_on(Database(restored), key.key, first.project_id, len(first.events))
        migrate.downgrade(restored.owner, shipped("migrations"), "0030")
        migrate.upgrade(restored.owner, shipped("migrations"))
    finally:
        with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as owner:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def _goes_on(database: Database, key: str, project_id: object, events: int) -> None:
    """The key opens its project, which sees its own events alone, and more are stored."""
    try:
        resolved = await KeyRing(database).resolve(key)
        assert resolved is not None and resolved.project_id == project_id
        recorder = Recorder(database, times=SessionTimes(), max_queued=1_000)
        recorder.start()
        more = visit(resolved.project_id, FAILS, datetime.now(UTC))
        assert await recorder.record(more) == len(more.events)
        await recorder.stop()
        async with database.transaction(resolved.project_id) as tx:
            seen = (await (await tx.connection()).exec_driver_sql("SELECT count(*) FROM event")).scalar_one()
        assert seen == events + len(more.events)
    finally:
        await database.close()


def test_a_login_that_may_not_act_as_the_application_is_told_what_it_lacks(
    postgres: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"bare_{uuid4().hex}"
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN".encode())
        urls = DatabaseUrls.from_settings(postgres.url("postgres", name))
        try:
            with pytest.raises(SystemExit), told(), psycopg.connect(conninfo(urls.app), **connect_options(urls)):
                pass
        finally:
            owner.execute(f"DROP ROLE {name}".encode())
    assert "GRANT whyleft_app TO" in " ".join(capsys.readouterr().err.split())
