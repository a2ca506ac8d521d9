"""A backup that was restored is the same installation: what docs/operate.md says to do, done."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from adapters.postgres import binaries, migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from bench.visits import FAILS, visit
from insights.access.key_ring import KeyRing
from insights.access.keys import create_key
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


async def test_what_was_dumped_and_restored_is_whole_goes_on_and_keeps_tenants_apart(
    postgres: EmbeddedPostgres, database: Database, database_urls: DatabaseUrls, tmp_path: Path
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
        owner.execute(f"CREATE DATABASE {name}".encode())
    restored = DatabaseUrls(owner=postgres.url(name), app=postgres.url(name, "whyleft_app"))
    try:
        await _run("pg_restore", "--exit-on-error", f"--dbname={conninfo(restored.owner)}", str(dump))
        migrate.upgrade(restored.owner, shipped("migrations"))
        migrate.check(restored.owner, shipped("migrations"))
        assert _counts(restored.owner) == _counts(database_urls.owner)
        assert _security(restored.owner) == _security(database_urls.owner)
        await _goes_on(Database(restored), key.key, first.project_id, len(first.events))
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
