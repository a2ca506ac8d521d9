"""Migrations: up, no difference from the models, down, up again; and every tenant table is held apart."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from adapters.postgres import migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import APP_ROLE, Database, DatabaseUrls, conninfo
from flows.conditions import to_words
from flows.definition import FlowDefinition, conditions_of
from insights.models import Event, Visitor
from insights.settings import Settings
from insights.shipped import shipped
from insights.vocabulary.ids import uuid7
from insights.wiring.database import open_database
from insights.worker import ensure_partitions
from tests.conftest import TEMPLATE


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def empty(postgres: EmbeddedPostgres) -> str:
    """The name of a database without a schema."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return name


def migrated(postgres: EmbeddedPostgres) -> str:
    """The URL of a new database with the whole schema, for whoever takes some of it back."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())
    return postgres.url(name)


def test_an_empty_database_goes_up_down_and_up_again(postgres: EmbeddedPostgres) -> None:
    name = empty(postgres)
    url = postgres.url(name)
    migrate.upgrade(url, shipped("migrations"))
    migrate.check(url, shipped("migrations"))
    migrate.downgrade(url, shipped("migrations"))
    left = query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert left == [("alembic_version",)]
    migrate.upgrade(url, shipped("migrations"))
    migrate.check(url, shipped("migrations"))


def test_a_schema_of_newer_code_is_left_alone_and_named(postgres: EmbeddedPostgres) -> None:
    name = empty(postgres)
    url = postgres.url(name)
    migrate.upgrade(url, shipped("migrations"))
    query(url, "UPDATE alembic_version SET version_num = '9999' RETURNING 1")
    with pytest.raises(migrate.SchemaNewer, match=r"\(9999\) is newer than this code"):
        migrate.upgrade(url, shipped("migrations"))
    assert query(url, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_login_that_may_not_change_the_schema_is_told_whose_to_use(postgres: EmbeddedPostgres) -> None:
    name = empty(postgres)
    with pytest.raises(migrate.SchemaNotOurs, match="WHYLEFT_OWNER_DATABASE_URL"):
        migrate.upgrade(postgres.url(name, "whyleft_app"), shipped("migrations"))
    migrate.upgrade(postgres.url(name), shipped("migrations"))
    # One that is up to date leaves nothing to be done.
    migrate.upgrade(postgres.url(name, "whyleft_app"), shipped("migrations"))


def test_a_limit_meant_for_queries_does_not_end_a_migration(postgres: EmbeddedPostgres) -> None:
    url = postgres.url(empty(postgres))
    waits = b"SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND clock_timestamp() - query_start > '1.2 s'"
    with psycopg.connect(conninfo(url)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('whyleft.migrate'))")
        limited = f"{url}&options=-c%20statement_timeout%3D1s"
        migrating = pool.submit(migrate.upgrade, limited, shipped("migrations"))
        with psycopg.connect(conninfo(url), autocommit=True) as watch:
            while not migrating.done() and not watch.execute(waits).fetchall():
                pass
        other.commit()
        migrating.result()
    migrate.check(url, shipped("migrations"))


def test_the_owners_url_alone_names_the_database(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    url = postgres.url(empty(postgres))
    with open_database(Settings(owner_database_url=url, database_pooled=True, data_dir=tmp_path)) as urls:
        assert (urls.owner, urls.app, urls.app_role, urls.pooled) == (url, url, APP_ROLE, False)
    migrate.check(url, shipped("migrations"))
    assert not list(tmp_path.iterdir())


async def test_every_table_of_a_tenant_has_a_forced_policy(database_urls: DatabaseUrls, database: Database) -> None:
    await ensure_partitions(database)
    # Taken from the catalogue, so that a new table is covered without being named here.
    tables = query(
        database_urls.owner,
        """
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, c.relispartition,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid),
               has_table_privilege('whyleft_app', c.oid, 'SELECT')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
        """,
    )
    assert len(tables) > 15
    for name, forced, partition, policy, readable in tables:
        assert forced, name
        # Partitions are reached through their parent only: nobody may name them.
        assert (not readable) if partition else policy, name


async def test_the_application_role_owns_nothing_and_can_make_nothing(
    database_urls: DatabaseUrls, database: Database
) -> None:
    owned = query(database_urls.owner, "SELECT relname FROM pg_class WHERE relowner = 'whyleft_app'::regrole")
    assert owned == []
    async with database.transaction(None) as tx:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await tx.execute(text("CREATE TABLE mine (id int)"))


async def test_a_tenant_sees_and_writes_only_their_own_rows(database: Database, project_id: UUID) -> None:
    other = uuid4()
    visitor = {"first_seen_at": datetime.now(UTC), "id": uuid4()}
    async with database.transaction(project_id) as tx:
        tx.add(Visitor(project_id=project_id, **visitor))
    for tenant in (other, None):
        async with database.transaction(tenant) as tx:
            assert (await tx.execute(select(Visitor))).all() == []
            assert (await tx.execute(text("UPDATE visitor SET email = 'x'"))).rowcount == 0  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.transaction(other) as tx:
            tx.add(Visitor(project_id=project_id, **{**visitor, "id": uuid4()}))


async def test_an_event_is_written_only_in_the_project_of_the_transaction(database: Database, project_id: UUID) -> None:
    at = datetime.now(UTC)
    columns = {"id": uuid4(), "visitor_id": uuid4(), "tab": "", "seq": 0, "occurred_at": at, "received_at": at}
    event = {**columns, "session_id": uuid7(), "type": "clicked", "props": {}}
    for tenant in (uuid4(), None):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with database.transaction(tenant) as tx:
                tx.add(Event(project_id=project_id, **event))
    async with database.transaction(project_id) as tx:
        await tx.execute(insert(Event).values(project_id=project_id, **event))
        await tx.execute(delete(Event))


async def test_the_dispatcher_finds_due_work_and_reads_nothing_else(database: Database) -> None:
    async with database.dispatch() as tx:
        await tx.execute(text("SELECT project_id, id, due_at FROM flow_run"))
    for statement in ("SELECT facts FROM flow_run", "SELECT visitor_id FROM session", "SELECT * FROM event"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.dispatch() as tx:
                await tx.execute(text(statement))


async def test_partitions_are_made_ahead_once_and_within_bounds(database: Database) -> None:
    async with database.transaction(None) as tx:
        call = text("SELECT ensure_event_partitions(:day, :days)")
        assert await tx.scalar(call, {"day": date(2030, 1, 1), "days": 3}) == 3
        assert await tx.scalar(call, {"day": date(2030, 1, 1), "days": 4}) == 1
    with pytest.raises(DBAPIError, match="days must be"):
        async with database.transaction(None) as tx:
            await tx.execute(call, {"day": date(2030, 1, 1), "days": 5000})


async def test_a_session_stands_in_the_partition_of_the_day_in_its_id(
    database_urls: DatabaseUrls, database: Database, project_id: UUID
) -> None:
    async with database.transaction(None) as tx:
        await tx.execute(text("SELECT ensure_event_partitions('2031-05-04', 1)"))
    insert = text(
        "INSERT INTO event (project_id, session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, props) "
        "VALUES (:project, :session, :id, :id, '', 0, now(), now(), 'custom', '{}')"
    )
    for day in (datetime(2031, 5, 4, 23, 59, 59, tzinfo=UTC), datetime(2031, 5, 5, tzinfo=UTC)):
        async with database.transaction(project_id) as tx:
            session = uuid7(int(day.timestamp() * 1000))
            await tx.execute(insert, {"project": project_id, "session": session, "id": uuid4()})
    found = query(database_urls.owner, "SELECT tableoid::regclass::text FROM event ORDER BY session_id")
    assert [row[0] for row in found] == ["event_20310504", "event_default"]


def test_conditions_of_flows_that_were_published_before_are_read_in_the_one_language(
    postgres: EmbeddedPostgres,
) -> None:
    url = migrated(postgres)
    old = {
        "name": "f",
        "trigger": {"on": "insight", "when": {"fact": "error.fingerprint", "op": "exists", "value": None}},
        "start": "a",
        "steps": {
            "a": {
                "do": "branch",
                "when": {
                    "all": [{"fact": "cart.count", "op": "ge", "value": 1}, {"not": {"fact": "x", "op": "exists"}}]
                },
                "then": "b",
                "otherwise": "b",
            },
            "b": {"do": "exit", "reason": "done"},
        },
    }
    project, version = uuid4(), uuid4()
    migrate.downgrade(url, shipped("migrations"), "0010")
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("INSERT INTO project (id, name) VALUES (%s, 'shop')", [project])
        connection.execute("SELECT set_config('whyleft.project_id', %s, true)", [str(project)])
        connection.execute(
            "INSERT INTO flow_version (project_id, id, flow_id, number, definition, published_at) "
            "VALUES (%s, %s, %s, 1, %s, now())",
            [project, version, uuid4(), json.dumps(old)],
        )
    migrate.upgrade(url, shipped("migrations"))
    flow = FlowDefinition.model_validate(_definition(url, project))
    assert {pointer: to_words(condition) for pointer, condition in conditions_of(flow).items()} == {
        "/trigger/when": "error.fingerprint is known",
        "/steps/a/when": "cart.items >= 1 and (not x is known)",
    }
    migrate.downgrade(url, shipped("migrations"), "0010")
    assert _definition(url, project)["steps"]["a"]["when"]["all"][0] == {"fact": "cart.count", "op": "ge", "value": 1}


def _definition(url: str, project: UUID) -> dict[str, Any]:
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("SELECT set_config('whyleft.project_id', %s, true)", [str(project)])
        row = connection.execute("SELECT definition FROM flow_version").fetchone()
        assert row is not None
        found: dict[str, Any] = row[0]
        return found


def test_what_only_a_server_told_of_before_is_looked_at_again_and_its_order_knows_its_place(
    postgres: EmbeddedPostgres,
) -> None:
    url = migrated(postgres)
    migrate.downgrade(url, shipped("migrations"), "0051")
    project, told = uuid4(), {"server": ["purchased"], "page": ["page_viewed", "purchased"]}
    sessions = {who: uuid7() for who in told}
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("INSERT INTO project (id, name) VALUES (%s, 'shop')", [project])
        connection.execute("SELECT set_config('whyleft.project_id', %s, true)", [str(project)])
        for who, types in told.items():
            visitor = uuid4()
            connection.execute(
                "INSERT INTO session (project_id, id, visitor_id, started_at, last_event_at, last_received_at, "
                "closed_at, purchased) VALUES (%s, %s, %s, now(), now(), now(), now(), true)",
                [project, sessions[who], visitor],
            )
            connection.execute(
                "INSERT INTO conversion (project_id, key, visitor_id, occurred_at) VALUES (%s, %s, %s, now())",
                [project, who, visitor],
            )
            for type_ in types:
                connection.execute(
                    "INSERT INTO event (project_id, session_id, id, visitor_id, tab, seq, occurred_at, received_at, "
                    "type, props) VALUES (%s, %s, %s, %s, %s, 0, now(), now(), %s, '{}')",
                    [project, sessions[who], uuid4(), visitor, "segment" if who == "server" else "", type_],
                )
    migrate.upgrade(url, shipped("migrations"))
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("SELECT set_config('whyleft.project_id', %s, true)", [str(project)])
        due = connection.execute("SELECT id FROM session WHERE close_at IS NOT NULL").fetchall()
        places = dict(connection.execute("SELECT key, session_id FROM conversion").fetchall())
    assert due == [(sessions["server"],)]
    assert places == {"server": sessions["server"], "page": None}
