"""Seals anew what older keys sealed, or what was stored before there were keys: column by column, value by value."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.base import Base
from adapters.postgres.personal import PREFIX, PersonalBytes, PersonalJson, PersonalText, Ring, ring_of

BATCH = 500
LOOKED_AT = 1000
_UUIDS = "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"


def personal_columns() -> list[tuple[Table, str]]:
    """Every column that is sealed, by its table."""
    return [
        (table, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, PersonalText | PersonalJson | PersonalBytes)
    ]


class SealedBy(NamedTuple):
    """Where something sealed was met, and the name of its key. ``fixed``: rows are found by what stands there."""

    place: str
    fixed: bool
    key: str


async def sealed_by(tx: AsyncSession, project_id: UUID) -> list[SealedBy]:
    """The keys of a project's texts, by their columns: of ``LOOKED_AT`` rows of each table."""
    looks = [
        f"SELECT '{table.name}.{column}' AS place, {_fixed(table.c[column].type)} AS fixed, "  # noqa: S608
        f"split_part(sealed, '.', 2) AS key FROM "
        f'(SELECT "{column}" AS sealed FROM "{table.name}" WHERE project_id = :project LIMIT {LOOKED_AT}) AS rows '
        f"WHERE sealed LIKE '{PREFIX}%'"
        for table, column in personal_columns()
        if isinstance(table.c[column].type, PersonalText)
    ]
    rows = await tx.execute(text(" UNION ".join(looks)), {"project": project_id})
    return [SealedBy(*row) for row in rows]


async def reseal(tx: AsyncSession, project_id: UUID, table: Table, column: str, lost: Collection[str] = ()) -> int:
    """Seals up to ``BATCH`` values of a project's column by the newest key; returns how many there were to do.

    Going on until it returns 0 finishes the column; an interruption loses nothing. What ``lost`` keys sealed stays as
    it is. Raises KeyUnknown.
    """
    ring = ring_of(tx)
    if not len(ring):
        return 0
    kind = table.c[column].type
    place = f'"{column}"' if not isinstance(kind, PersonalJson) else f"(\"{column}\" #>> '{{}}')"
    if isinstance(kind, PersonalBytes):
        # Escaped rather than converted: what was stored before there were keys may hold any byte.
        place = f"encode(\"{column}\", 'escape')"
    prefix = ring.prefix(fixed=_fixed(kind)) + "%"
    values = {"project": project_id, "prefix": prefix, "lost": list(lost), "most": BATCH}
    rows = (
        await tx.execute(
            text(
                f'SELECT DISTINCT "{column}" FROM "{table.name}" WHERE project_id = :project'  # noqa: S608
                f' AND "{column}" IS NOT NULL AND {place} NOT LIKE :prefix {_spared(kind, column)}'
                f" AND split_part({place}, '.', 2) <> ALL(CAST(:lost AS text[])) LIMIT :most"
            ),
            values,
        )
    ).scalars()
    found = list(rows)
    for old in found:
        await _replace(tx, project_id, table, column, kind, old, ring)
    return len(found)


def _fixed(kind: Any) -> bool:
    return isinstance(kind, PersonalText) and kind.fixed


def _spared(kind: Any, column: str) -> str:
    if isinstance(kind, PersonalJson):
        # What need not be sealed is an object still; what was is a text.
        holding = (
            f"AND (jsonb_typeof(\"{column}\") = 'string' OR \"{column}\" ? '{kind.holding}')" if kind.holding else ""
        )
        return f"AND \"{column}\" NOT IN ('{{}}', '[]', 'null') {holding}"
    if isinstance(kind, PersonalText) and kind.addresses:
        return f"AND (\"{column}\" LIKE '%@%' OR \"{column}\" LIKE 'pd1.%')"
    return f"AND \"{column}\" !~ '{_UUIDS}'" if _fixed(kind) else ""


async def _replace(
    tx: AsyncSession, project_id: UUID, table: Table, column: str, kind: Any, old: Any, ring: Ring
) -> None:
    dialect = tx.get_bind().dialect
    opened = kind.process_result_value(old, dialect)
    statement = table.update().where(table.c.project_id == project_id, _is(column, kind, old)).values({column: opened})
    attempt = await tx.begin_nested()
    try:
        await tx.execute(statement)
        await attempt.commit()
    except IntegrityError:
        # The same thing stands there sealed already: this copy is one too many.
        await attempt.rollback()
        await tx.execute(table.delete().where(table.c.project_id == project_id, _is(column, kind, old)))


def _is(column: str, kind: Any, old: Any) -> Any:
    if isinstance(kind, PersonalJson):
        return text(f'"{column}" = CAST(:old AS jsonb)').bindparams(old=json.dumps(old))
    return text(f'"{column}" = :old').bindparams(old=old)
