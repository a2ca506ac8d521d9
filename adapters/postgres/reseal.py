"""Seals anew what older keys sealed, or what was stored before there were keys: column by column, row by row."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.acting import acting
from adapters.postgres.base import Base
from adapters.postgres.engine import Database
from adapters.postgres.personal import PREFIX, PersonalBytes, PersonalJson, PersonalText, ring_of

BATCH = 500
LOOKED_AT = 1000
_DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
Key: TypeAlias = tuple[Any, ...]
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


async def reseal(database: Database, project_id: UUID, table: Table, column: str, lost: Collection[str] = ()) -> int:
    """Seals all values of a project's column by the newest key; returns how many rows there were to do.

    Row after row by the primary key, so that a table is read once however large it is, and from its beginning until
    nothing was left: others write meanwhile. An interruption loses nothing. What ``lost`` keys sealed stays as it is.
    It is no change of what stands there, and nobody's. Raises KeyUnknown.
    """
    if not len(database.ring):
        return 0
    count = 0
    with acting(None):
        while done := await _walk(database, project_id, table, column, lost):
            count += done
    return count


async def _walk(database: Database, project_id: UUID, table: Table, column: str, lost: Collection[str]) -> int:
    count, after = 0, None
    while True:
        async with database.transaction(project_id) as tx:
            rows = await _page(tx, project_id, table, column, lost, after)
            for key, old in rows:
                await _replace(tx, project_id, table, column, key, old)
        count += len(rows)
        if len(rows) < BATCH:
            return count
        after = rows[-1][0]


async def _page(
    tx: AsyncSession, project_id: UUID, table: Table, column: str, lost: Collection[str], after: Key | None
) -> list[tuple[Key, Any]]:
    """The next rows after that key whose value is to be sealed anew: their keys, and what stands there."""
    kind = table.c[column].type
    place = f'"{column}"' if not isinstance(kind, PersonalJson) else f"(\"{column}\" #>> '{{}}')"
    if isinstance(kind, PersonalBytes):
        # Escaped rather than converted: what was stored before there were keys may hold any byte.
        place = f"encode(\"{column}\", 'escape')"
    names = _key(table)
    keys = ", ".join(f'"{name}"' for name in names)
    later = f"AND ({keys}) > ({_values(table)})" if after else ""
    values = {"prefix": ring_of(tx).prefix(fixed=_fixed(kind)) + "%", "lost": list(lost)}
    rows = await tx.execute(
        text(
            f'SELECT {keys}, "{column}" FROM "{table.name}" WHERE project_id = :project {later}'  # noqa: S608
            f' AND "{column}" IS NOT NULL AND {place} NOT LIKE :prefix {_spared(kind, column)}'
            f" AND split_part({place}, '.', 2) <> ALL(CAST(:lost AS text[])) ORDER BY {keys} LIMIT {BATCH}"
        ),
        values | {"project": project_id} | _bound(after or ()),
    )
    return [(tuple(row[:-1]), row[-1]) for row in rows]


def _key(table: Table) -> list[str]:
    """What tells the rows of a project apart."""
    return [column.name for column in table.primary_key.columns if column.name != "project_id"]


def _values(table: Table) -> str:
    kinds = [table.c[name].type.compile(_DIALECT) for name in _key(table)]
    return ", ".join(f"CAST(:key{nth} AS {kind})" for nth, kind in enumerate(kinds))


def _bound(key: Key) -> dict[str, Any]:
    return {f"key{nth}": value for nth, value in enumerate(key)}


def _fixed(kind: object) -> bool:
    return isinstance(kind, PersonalText) and kind.fixed


def _spared(kind: object, column: str) -> str:
    if isinstance(kind, PersonalJson):
        # What need not be sealed is an object still; what was is a text.
        holding = (
            f"AND (jsonb_typeof(\"{column}\") = 'string' OR \"{column}\" ? '{kind.holding}')" if kind.holding else ""
        )
        return f"AND \"{column}\" NOT IN ('{{}}', '[]', 'null') {holding}"
    if isinstance(kind, PersonalText) and kind.addresses:
        return f"AND (\"{column}\" LIKE '%@%' OR \"{column}\" LIKE 'pd1.%')"
    return f"AND \"{column}\" !~ '{_UUIDS}'" if _fixed(kind) else ""


async def _replace(tx: AsyncSession, project_id: UUID, table: Table, column: str, key: Key, old: object) -> None:
    kind: Any = table.c[column].type
    opened = kind.process_result_value(old, tx.get_bind().dialect)
    keys = ", ".join(f'"{name}"' for name in _key(table))
    this = text(f"({keys}) = ({_values(table)})").bindparams(**_bound(key))
    # Somebody may have written there meanwhile: then it is sealed as it should be.
    where = (table.c.project_id == project_id, this, _is(column, kind, old))
    statement = table.update().where(*where).values({column: opened})
    if column not in _key(table):
        await tx.execute(statement)
        return
    attempt = await tx.begin_nested()
    try:
        await tx.execute(statement)
        await attempt.commit()
    except IntegrityError:
        # The same thing stands there sealed already: this copy is one too many.
        await attempt.rollback()
        await tx.execute(table.delete().where(*where))


def _is(column: str, kind: object, old: object) -> Any:
    if isinstance(kind, PersonalJson):
        return text(f'"{column}" = CAST(:old AS jsonb)').bindparams(old=json.dumps(old))
    return text(f'"{column}" = :old').bindparams(old=old)
