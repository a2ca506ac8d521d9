from __future__ import annotations

from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.arrays import (
    Array,
    Bigints,
    Doubles,
    Texts,
    Uuids,
    bigint_pieces,
    double_pieces,
    text_piece,
    uuid_pieces,
)
from adapters.postgres.engine import DatabaseUrls, conninfo

IDS = [UUID(int=0), UUID("0d7c5a1e-93f2-4b6e-8a41-5f6b7d2c9e10"), UUID(int=2**128 - 1)]
NUMBERS = [0, -1, 2**63 - 1]
TIMES = [0.0, 1_700_000_000_123.0, -0.5]
WORDS = ["", 'Käse, {quoted} "twice" \\ NULL', None]


@pytest.mark.parametrize(
    ("array", "type", "values"),
    [
        (Uuids.of([uuid_pieces(IDS[:1]), uuid_pieces(IDS[1:])], 3), "uuid[]", IDS),
        (Bigints.of([bigint_pieces(NUMBERS)], 3), "bigint[]", NUMBERS),
        (Doubles.of([double_pieces(TIMES)], 3), "double precision[]", TIMES),
        (Texts.of([text_piece(word) for word in WORDS], 3), "text[]", WORDS),
        (Texts.of([], 0), "text[]", []),
    ],
)
async def test_an_array_is_read_as_it_was_made(
    database_urls: DatabaseUrls, array: Array, type: LiteralString, values: list[object]
) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.app)) as connection:
        answer = await connection.execute(
            sql.SQL("SELECT element FROM unnest(%s::{}) AS element").format(sql.SQL(type)), [array]
        )
        assert [element for (element,) in await answer.fetchall()] == values
