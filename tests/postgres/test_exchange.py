"""Statements over libpq itself: how large, how often, and what a refused one leaves behind."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import psycopg
import pytest
import uvloop

from adapters.postgres.engine import DatabaseUrls, conninfo
from adapters.postgres.exchange import Exchange, Statement


@pytest.fixture(params=[True, False], ids=["prepares", "pooled"])
async def exchange(database_urls: DatabaseUrls, request: pytest.FixtureRequest) -> AsyncIterator[Exchange]:
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.app), autocommit=True) as connection:
        yield Exchange(connection, prepares=request.param)


async def test_what_no_socket_takes_at_once_arrives_whole_both_ways(exchange: Exchange) -> None:
    large = "é" * 3_000_000
    ask: Statement = ("SELECT %(text)s || %(text)s", {"text": large})
    assert await exchange.run([ask, ask]) == [(2 * large,), (2 * large,)]


async def test_a_parameter_may_be_named_twice_and_a_percent_sign_stands_for_itself(exchange: Exchange) -> None:
    ask: Statement = ("SELECT %(a)s::int - %(b)s::int, %(a)s::int % 7", {"a": 9, "b": 4})
    for _ in range(3):
        assert await exchange.run([ask]) == [(5, 2)]


async def test_the_same_text_with_values_of_other_types_is_another_question(exchange: Exchange) -> None:
    for value in (1, 2**40, 10**30):
        assert await exchange.run([("SELECT %(value)s + 1", {"value": value})]) == [(value + 1,)]


async def test_what_stands_behind_a_refused_statement_can_be_asked_later(exchange: Exchange) -> None:
    refused: Statement = ("SELECT 1 / %(by)s::int", {"by": 0})
    behind: Statement = ("SELECT 2", {})
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await exchange.run([refused, behind])
        assert await exchange.run([behind, ("SELECT WHERE false", {})]) == [(2,), None]


async def test_statements_of_one_run_are_one_transaction(exchange: Exchange) -> None:
    (first,), (second,) = [row or () for row in await exchange.run([("SELECT txid_current()", {})] * 2)]
    assert first == second
    assert await exchange.run([("SELECT txid_current()", {})]) != [(first,)]


async def test_an_error_quotes_no_row(exchange: Exchange) -> None:
    with pytest.raises(psycopg.DataError) as refused:
        await exchange.run([("SELECT %(text)s::int", {"text": "someone@shop.example"})])
    assert "someone" not in str(refused.value)


@pytest.mark.parametrize("piled_up", [0, 20_000, 100_000], ids="{} letters before it".format)
def test_what_is_cut_off_while_the_server_has_not_read_all_of_it_ends(
    database_urls: DatabaseUrls, piled_up: int
) -> None:
    """The server says why, then closes with something unread: uvloop tells of that once, and the end comes after it."""

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(conninfo(database_urls.app), autocommit=True) as connection:
            answered: Statement = ("SELECT repeat('y', %(letters)s::int)", {"letters": piled_up})
            sleeps: Statement = ("SELECT pg_sleep(60)", {})
            waits: Statement = ("SELECT length(%(text)s)", {"text": "x" * 100_000})
            running = asyncio.create_task(Exchange(connection, prepares=True).run([answered, sleeps, waits]))
            await asyncio.sleep(0)
            # The process is busy meanwhile: all of it is there when it looks.
            time.sleep(0.3)  # noqa: ASYNC251
            with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
            try:
                async with asyncio.timeout(20):
                    with pytest.raises(psycopg.OperationalError):
                        await running
            finally:
                await connection.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_what_is_over_leaves_nothing_that_the_garbage_collector_must_look_for(exchange: Exchange) -> None:
    ask: Statement = ("SELECT %(text)s", {"text": "kettle"})
    await exchange.run([ask])
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            await exchange.run([ask])
        assert gc.collect() < 50
    finally:
        gc.enable()
