"""What the embedded server is set to, what the application's role may not do, and who may connect at all."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import psutil
import psycopg
import pytest

from adapters.postgres import embedded
from adapters.postgres.embedded import EmbeddedPostgres
from tests.postgres.processes import eventually, run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with embedded.start(tmp_path_factory.mktemp("settings") / "postgres") as server:
        yield server


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
        ("max_connections", "100"),
    ],
)
def test_it_is_set_to_keep_what_it_acknowledged_and_to_itself(server: EmbeddedPostgres, name: str, value: str) -> None:
    assert run(server.app_url, f"SHOW {name}") == value


def test_it_is_postgresql_18_with_a_locale_that_every_machine_has(server: EmbeddedPostgres) -> None:
    assert run(server.app_url, "SHOW server_version").startswith("18.")
    query = "SELECT concat_ws(' ', datlocprovider, datlocale) FROM pg_database WHERE datname = 'whyleft'"
    assert run(server.app_url, query) == "b C.UTF-8"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "CREATE TEMPORARY TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "SET ROLE postgres",
    ],
)
def test_the_application_role_may_not(server: EmbeddedPostgres, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(server.app_url, statement)


def test_the_application_role_owns_nothing_and_bypasses_nothing(server: EmbeddedPostgres) -> None:
    owned = "SELECT count(*) FROM pg_class WHERE relowner = 'whyleft_app'::regrole"
    depends = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'whyleft_app'::regrole AND deptype = 'o'"
    assert run(server.owner_url, owned) == run(server.owner_url, depends) == 0
    powers = (
        "SELECT rolsuper OR rolinherit OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication "
        "FROM pg_roles WHERE rolname = 'whyleft_app'"
    )
    assert run(server.owner_url, powers) is False


def test_nobody_else_on_the_machine_can_connect(server: EmbeddedPostgres) -> None:
    socket = server.data_dir / "run"
    owner = (server.data_dir / "cluster").stat().st_uid
    assert (stat.S_IMODE(socket.stat().st_mode), socket.stat().st_uid) == (0o700, owner)
    rules = "SELECT string_agg(concat_ws(' ', type, auth_method, options), ';') FROM pg_hba_file_rules"
    assert run(server.owner_url, rules) == "local peer {map=whyleft}"
    names = "SELECT string_agg(DISTINCT sys_name, ' ' ORDER BY sys_name) FROM pg_ident_file_mappings"
    me = psutil.Process().username()
    assert run(server.owner_url, names) == " ".join(sorted({"root", me}))


def test_its_log_quotes_no_row(server: EmbeddedPostgres) -> None:
    run(server.owner_url, "CREATE TABLE people (email text PRIMARY KEY)")
    insert = "INSERT INTO people VALUES ('canary@example.test')"
    run(server.owner_url, insert)
    with pytest.raises(psycopg.errors.UniqueViolation):
        run(server.owner_url, insert)
    log = server.data_dir / "server.log"
    eventually(lambda: "duplicate key" in log.read_text())
    assert "canary" not in log.read_text()
