"""The tables of the engine: what the migrations make is what the models say, and who may see what of them."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from adapters.postgres import migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, conninfo
from flows.models import Flow
from insights.shipped import shipped
from tests.flows.world import WAIT_THEN_SEND, World, plan

TABLES = ["conversion", "delivery", "flow", "flow_run", "flow_signal", "flow_version", "run_event", "suppression"]


def test_migrations_make_what_the_models_say_and_take_it_back(postgres: EmbeddedPostgres) -> None:
    name = f"flows_{uuid4().hex}"
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            url = postgres.url(name)
            migrate.upgrade(url, shipped("migrations"))
            migrate.check(url, shipped("migrations"))
            migrate.downgrade(url, shipped("migrations"))
            with psycopg.connect(conninfo(url)) as connection:
                left = connection.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [TABLES]).fetchall()
            assert left == []
            migrate.upgrade(url, shipped("migrations"))
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def test_every_table_hides_the_rows_of_other_projects(database: Database, project_id: UUID) -> None:
    world = World(database, project_id)
    await world.publish(plan(WAIT_THEN_SEND))
    visitor = await world.start()
    await world.later(hours=1)
    await world.later(hours=1)
    await world.convert(visitor)
    await world.signal("fixed", "x")
    async with database.transaction(uuid4()) as tx:
        for table in TABLES:
            assert (await tx.execute(text(f"SELECT * FROM {table}"))).all() == [], table  # noqa: S608
    async with database.transaction(None) as tx:
        for table in TABLES:
            assert (await tx.execute(text(f"SELECT * FROM {table}"))).all() == [], table  # noqa: S608


async def test_nobody_writes_into_another_project(database: Database, project_id: UUID) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.transaction(uuid4()) as tx:
            tx.add(Flow(project_id=project_id, id=uuid4(), name="f", created_at=World(database, project_id).clock()))


@pytest.mark.parametrize("statement", ["SELECT facts FROM flow_run", "SELECT visitor_id FROM flow_run"])
async def test_who_looks_for_due_runs_of_every_project_sees_nothing_else_of_them(
    database: Database, statement: str
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.dispatch() as tx:
            await tx.execute(text(statement))


@pytest.mark.parametrize("statement", ["UPDATE flow_version SET number = 9", "UPDATE run_event SET what = 'x'"])
async def test_versions_and_history_are_never_rewritten(database: Database, project_id: UUID, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.transaction(project_id) as tx:
            await tx.execute(text(statement))
