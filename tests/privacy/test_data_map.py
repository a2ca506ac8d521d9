"""The data map of docs/privacy.md against the database: a new table without an entry fails."""

from __future__ import annotations

from pathlib import Path

from adapters.postgres.engine import DatabaseUrls
from adapters.postgres.reseal import personal_columns
from tests.privacy.catalogue import catalogue, data_map, tables

CREDENTIALS = {
    ("channel", "credentials"),
    ("identity_secret", "sealed"),
    ("insight_setting", "api_key"),
    ("subscription", "secret"),
    ("webhook_source", "sealed"),
}
"""Sealed one by one, by the rooms that open them."""


def test_every_table_is_on_the_map_and_nothing_else_is(database_urls: DatabaseUrls, repository: Path) -> None:
    known = data_map(repository)
    missing = catalogue(database_urls.owner) - set(known)
    assert not missing, f"{sorted(missing)}: say in docs/privacy.md whose they are and what becomes of them"
    assert set(known) == catalogue(database_urls.owner)
    for table in tables():
        if "visitor_id" in table.c:
            assert known[table.name][0] == "visitors", table.name


def test_the_map_names_the_columns_that_are_sealed(repository: Path) -> None:
    said = {(name, column) for name, (_, sealed) in data_map(repository).items() for column in sealed}
    assert said == {(table.name, column) for table, column in personal_columns()} | CREDENTIALS
