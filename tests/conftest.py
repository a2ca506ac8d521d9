"""One real PostgreSQL server for the whole run, one fresh migrated database per module."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
from playwright.async_api import Browser, async_playwright, expect

from adapters.postgres import embedded, migrate
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.models import Project
from insights.shipped import shipped
from tests.browser import ARGUMENTS, chromium_path

TEMPLATE = "whyleft_template"
expect.set_options(timeout=60_000)  # milliseconds: how long a machine that is busy elsewhere may take


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command sets up its process's log lines, on what is standard error then; here the process is the tests'.

    A traceback is told as the product tells it: with every local drawn in boxes, seventy of them take half a minute.
    """
    handlers = logging.root.handlers[:]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The server; its ``whyleft_template`` database is migrated and empty."""
    with embedded.start(tmp_path_factory.mktemp("server") / "postgres") as server:
        _execute(server.owner_url, f"CREATE DATABASE {TEMPLATE}")
        migrate.upgrade(server.url(TEMPLATE), shipped("migrations"))
        yield server


@pytest.fixture(scope="module")
def database_urls(postgres: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """A fresh migrated database: the owner's URL, and the application role's own login."""
    name = f"test_{uuid4().hex}"
    _execute(postgres.owner_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield DatabaseUrls(owner=postgres.url(name), app=postgres.url(name, "whyleft_app"))
    _execute(postgres.owner_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The pool of the application role on this module's database."""
    database = Database(database_urls)
    yield database
    await database.close()


@pytest.fixture
async def project_id(database: Database) -> UUID:
    """A new project, so that tests of one module do not see each other's rows."""
    identifier = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=identifier, name=f"shop-{identifier}", allowed_origins=[]))
    return identifier


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return Path(__file__).parent.parent


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium with an empty profile."""
    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()
