"""Every table could be divided among servers by project: no key and no unique index spans projects, but those named."""

from __future__ import annotations

import psycopg

from adapters.postgres.engine import DatabaseUrls, conninfo

OF_NO_PROJECT = {"alembic_version", "login_throttle", "member", "password_reset", "project"}
"""They would stand whole on every server."""

FOUND_BEFORE_THE_PROJECT_IS_KNOWN = {
    ("api_key", "key_hash"),
    ("invitation", "token_hash"),
    ("login", "token_hash"),
}
"""Unique among all projects: a secret says whose it is. They would stand whole on every server, too."""

COUNTED_BY_ONE_SERVER = {("audit_entry", "id"), ("run_event", "id"), ("segment_move", "id")}
"""Identity columns: a sequence of all servers would have to take their place."""

BY_SESSION_TOO = {"event", "insight_feedback"}
"""Tables that a single project's sessions could be divided by: the session is a part of their primary key."""

_UNIQUE = """
SELECT c.relname, i.indisprimary, array_agg(a.attname::text ORDER BY k.place)
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
CROSS JOIN LATERAL unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE i.indisunique GROUP BY i.indexrelid, c.relname, i.indisprimary
"""
_COLUMNS = """
SELECT c.relname, a.attname, a.attidentity <> '' FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
AND a.attnum > 0 AND NOT a.attisdropped
"""
_FOREIGN_KEYS = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"


def test_every_table_of_a_project_can_be_divided_by_project(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(conninfo(database_urls.owner)) as owner:
        unique = owner.execute(_UNIQUE).fetchall()
        columns = owner.execute(_COLUMNS).fetchall()
        foreign_keys = owner.execute(_FOREIGN_KEYS).fetchall()
    tables = {table for table, _, _ in columns}
    assert tables - {table for table, name, _ in columns if name == "project_id"} == OF_NO_PROJECT
    primary = {table: key for table, is_primary, key in unique if is_primary}
    assert tables == set(primary)
    assert {table for table, key in primary.items() if key[0] != "project_id"} == OF_NO_PROJECT
    spanning = {(table, *key) for table, _, key in unique if "project_id" not in key and table not in OF_NO_PROJECT}
    assert spanning == FOUND_BEFORE_THE_PROJECT_IS_KNOWN
    assert {(table, name) for table, name, counted in columns if counted} == COUNTED_BY_ONE_SERVER
    assert foreign_keys == []
    assert {table for table, key in primary.items() if "session_id" in key} == BY_SESSION_TOO
