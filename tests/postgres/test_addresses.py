"""One URL leads everybody to the same place: the pool, which SQLAlchemy opens, and the connections that libpq opens."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, DatabaseUrlInvalid, DatabaseUrls, connect_options, conninfo
from adapters.postgres.pipe import Pipe


@pytest.fixture
def spaced(postgres: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """A database with a blank, a plus and a slash in its name, asked for with a password that has them too."""
    name = f"a b+c/{uuid4().hex}"
    with psycopg.connect(conninfo(postgres.owner_url), autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        written = postgres.url(name).replace("postgres@", "postgres:x%20y+z@")
        yield DatabaseUrls(owner=written, app=written)
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def test_pool_and_pipe_reach_the_same_database_whatever_its_name(spaced: DatabaseUrls) -> None:
    database, pipe = Database(spaced), Pipe(spaced)
    try:
        async with database.transaction(None) as tx:
            by_pool = await tx.scalar(text("SELECT current_database()"))
        (by_pipe,) = await pipe.run(uuid4(), [("SELECT current_database()", {})])
    finally:
        await pipe.close()
        await database.close()
    assert str(by_pool).startswith("a b+c/")
    assert by_pipe == (by_pool,)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:a%20b@h/d", {"user": "u", "password": "a b", "host": "h", "dbname": "d"}),
        ("postgresql://u:a+b%25%23@h/d", {"user": "u", "password": "a+b%#", "host": "h", "dbname": "d"}),
        ("postgresql://u@[::1]:5/d?sslrootcert=%2Fa%20b", {"host": "::1", "port": "5", "sslrootcert": "/a b"}),
        ("postgresql://u@%2Frun%2Fpostgresql:5433/d", {"host": "/run/postgresql", "port": "5433", "dbname": "d"}),
        ("postgresql://u@/d?host=x,y&port=1,2", {"host": "x,y", "port": "1,2", "user": "u", "dbname": "d"}),
    ],
)
def test_libpq_reads_what_the_url_says(url: str, words: dict[str, str]) -> None:
    assert words.items() <= conninfo_to_dict(conninfo(url)).items()


async def test_options_and_waits_of_the_url_hold_beside_our_own(database_urls: DatabaseUrls) -> None:
    said = "options=-c%20lock_timeout%3D3s%20-c%20role%3Dnone%20-c%20work_mem%3D12MB&connect_timeout=7"
    url = f"{database_urls.owner}&{said}"
    urls = DatabaseUrls.from_settings(url)
    asked = (
        "SELECT current_setting('work_mem'), current_setting('lock_timeout'), current_user::text,"
        " current_setting('idle_in_transaction_session_timeout')"
    )
    database, pipe = Database(urls), Pipe(urls)
    try:
        async with database.transaction(None) as tx:
            by_pool = tuple((await tx.execute(text(asked))).one())
        (by_pipe,) = await pipe.run(uuid4(), [(asked, {})])
    finally:
        await pipe.close()
        await database.close()
    assert by_pool == by_pipe == ("12MB", "3s", "whyleft_app", "1min")
    assert connect_options(urls)["connect_timeout"] == "7"
    assert connect_options(DatabaseUrls.from_settings(url, url, pooled=True))["connect_timeout"] == "7"


async def test_times_are_in_utc_whatever_zone_the_server_is_set_to(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as owner:
        name = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL("ALTER DATABASE {} SET timezone = 'Pacific/Chatham'").format(name))
    database = Database(database_urls)
    try:
        async with database.transaction(None) as tx:
            told = (await tx.execute(text("SELECT now()"))).scalar_one()
    finally:
        await database.close()
    assert told.isoformat().endswith("+00:00")


def test_another_schema_is_refused_before_half_of_it_is_used() -> None:
    with pytest.raises(DatabaseUrlInvalid, match="search_path"):
        conninfo("postgresql://u@h/d?options=-csearch_path%3Dshop")
