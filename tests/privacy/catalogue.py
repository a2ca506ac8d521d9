"""Plants a row about somebody in any table, by the table's own columns, and looks for somebody in all of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from adapters.postgres.base import Base
from adapters.postgres.engine import conninfo
from adapters.postgres.personal import PersonalBytes, PersonalJson, PersonalText

NOW = datetime.now(UTC)


def data_map(repository: Path) -> dict[str, tuple[str, set[str]]]:
    """Table → whose it is and which columns are sealed, as docs/privacy.md says."""
    lines = (repository / "docs/privacy.md").read_text().partition("## The map")[2].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    return {
        name.strip("`"): (whose, {word.strip() for word in sealed.split(",") if word.strip()})
        for name, whose, _, sealed, _ in rows
    }


def row_about(table: sa.Table, project_id: UUID, given: dict[str, Any], word: str) -> dict[str, Any]:
    """A row that the table takes. ``given``: values of columns of these names; every free text holds ``word``."""
    choices = _choices(table)
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.name == "project_id":
            values[column.name] = project_id
        elif column.name in given:
            values[column.name] = given[column.name]
        elif column.identity is None:
            values[column.name] = choices.get(column.name) or _value(column, word)
    return values


def _choices(table: sa.Table) -> dict[str, str]:
    found: dict[str, str] = {}
    for constraint in table.constraints:
        if isinstance(constraint, sa.CheckConstraint):
            for name, first in re.findall(r"(\w+) IN \('([^']*)'", str(constraint.sqltext)):
                found[name] = first
    return found


def _value(column: sa.Column[Any], word: str) -> Any:
    kind = column.type
    if isinstance(kind, PersonalJson | JSONB):
        return {"said": [word]}
    if isinstance(kind, PersonalBytes):
        return f'{{"said": "{word}"}}'.encode()
    if isinstance(kind, PersonalText | sa.Text):
        return word
    if isinstance(kind, sa.LargeBinary):
        return word.encode()
    if isinstance(kind, sa.Uuid):
        return uuid4()
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.DateTime):
        return NOW
    if isinstance(kind, sa.Date):
        return date(2026, 1, 1)
    if isinstance(kind, ARRAY):
        return [_value(sa.Column("x", kind.item_type), word)]
    if isinstance(kind, sa.Integer | sa.Float | sa.Numeric):
        return 1
    raise AssertionError(f"{column}: how does one fill {kind!r}?")


def tables() -> list[sa.Table]:
    """Every table of the product."""
    return list(Base.metadata.sorted_tables)


def catalogue(owner_url: str) -> set[str]:
    """Every table that the database has, partitions apart."""
    with psycopg.connect(conninfo(owner_url)) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
            "AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
        ).fetchall()
    return {name for (name,) in rows}


def hits(owner_url: str, project_id: UUID, words: list[str]) -> list[tuple[str, str]]:
    """Table and word, for every row of a project that has one of ``words`` in any column of any type."""
    found = []
    tenants = {table.name for table in tables() if "project_id" in table.c}
    with psycopg.connect(conninfo(owner_url)) as connection:
        for name in sorted(catalogue(owner_url)):
            # As text, and bytes as the text that they may be; ids that are kept as bytes as hexadecimal.
            mine = f"WHERE project_id = '{project_id}'" if name in tenants else ""
            for (row,) in connection.execute(f'SELECT to_jsonb(t)::text FROM "{name}" t {mine}').fetchall():  # noqa: S608
                said = row + "".join(_readable(part) for part in re.findall(r'"\\\\x([0-9a-f]*)"', row))
                plain = said.lower().replace("-", "")
                found += [(name, word) for word in words if word.lower().replace("-", "") in plain]
    return found


def _readable(hexadecimal: str) -> str:
    return bytes.fromhex(hexadecimal).decode("latin-1")
