"""Pipes side by side: who waits for whom, what one lost connection costs, what is known of a server that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.engine import DatabaseUrls, conninfo
from adapters.postgres.exchange import Statement
from adapters.postgres.pipe import PipeBroken, ServerAway, StatementRefused
from adapters.postgres.pipes import Pipes
from tests.postgres.door import Door, door_to

ASK: Statement = ("SELECT pg_backend_pid()", {})
LONG: Statement = ("SELECT pg_backend_pid(), pg_sleep(0.3)", {})


@pytest.fixture
async def door(database_urls: DatabaseUrls) -> AsyncIterator[Door]:
    async with door_to(database_urls.app) as door:
        yield door


@pytest.fixture
async def pipes(door: Door) -> AsyncIterator[Pipes]:
    pipes = Pipes(DatabaseUrls(owner=door.url, app=door.url), 2)
    yield pipes
    await pipes.close()


async def backend(pipes: Pipes, statement: Statement = ASK) -> int:
    """The server process that answered."""
    (answer,) = await pipes.run(uuid4(), [statement])
    assert answer is not None
    return int(answer[0])


async def test_those_who_ask_one_after_the_other_share_one_connection(pipes: Pipes) -> None:
    assert len({await backend(pipes) for _ in range(5)}) == 1


async def test_who_asks_while_another_is_answered_is_answered_beside_it_by_two_at_most(pipes: Pipes) -> None:
    long = asyncio.create_task(backend(pipes, LONG))
    await asyncio.sleep(0.1)
    beside = [await backend(pipes) for _ in range(5)]
    assert not long.done()
    assert {await long} | set(beside) == {await long, beside[0]}
    assert len(set(await asyncio.gather(*(backend(pipes) for _ in range(20))))) == 2


async def test_a_connection_that_is_cut_off_costs_the_one_beside_it_nothing(
    pipes: Pipes, database_urls: DatabaseUrls
) -> None:
    first = asyncio.create_task(backend(pipes, LONG))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(backend(pipes, LONG))
    await asyncio.sleep(0.1)
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner), autocommit=True) as owner:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.3)'"
            " AND pid <> pg_backend_pid() ORDER BY query_start LIMIT 1"
        )
    ended = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(end) for end in ended if isinstance(end, Exception)] == [PipeBroken]
    assert len([end for end in ended if isinstance(end, int)]) == 1
    assert not pipes.away
    await backend(pipes)


async def test_where_the_server_has_no_room_for_one_more_those_that_there_are_take_turns(
    pipes: Pipes, door: Door
) -> None:
    only = await backend(pipes)
    door.full = True
    assert set(await asyncio.gather(*(backend(pipes) for _ in range(6)))) == {only}
    assert not pipes.away


async def test_while_the_server_is_away_everybody_hears_it_at_once_and_when_it_is_back_nobody_need_ask(
    pipes: Pipes, door: Door
) -> None:
    await backend(pipes)
    door.slam()
    with pytest.raises(PipeBroken):
        await backend(pipes)
    with pytest.raises(ServerAway):
        await backend(pipes)
    assert pipes.away
    door.full = True
    door.cut()
    tried = door.taken
    for _ in range(500):
        with pytest.raises(ServerAway):
            await pipes.run(uuid4(), [ASK])
    assert door.taken - tried < 100
    door.open, door.full = True, False
    door.cut()
    async with asyncio.timeout(10):
        while pipes.away:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await backend(pipes)


async def test_a_statement_that_is_refused_says_nothing_of_the_server(pipes: Pipes) -> None:
    with pytest.raises(StatementRefused):
        await pipes.run(uuid4(), [("SELECT 1 / 0", {})])
    assert not pipes.away


async def test_pipes_that_are_closed_while_the_server_is_away_look_for_it_no_more(pipes: Pipes, door: Door) -> None:
    await backend(pipes)
    door.slam()
    for _ in range(2):
        with pytest.raises(PipeBroken):
            await backend(pipes)
    async with asyncio.timeout(2):
        await pipes.close()
    assert not pipes.away


async def test_what_waits_in_another_way_for_a_server_that_is_away_waits_no_longer(pipes: Pipes, door: Door) -> None:
    await backend(pipes)
    for_ever: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waits = [asyncio.create_task(pipes.while_there(work)) for work in (for_ever, asyncio.sleep(60, 0))]
    await asyncio.sleep(0.1)
    assert not any(wait.done() for wait in waits)
    door.slam()
    for _ in range(2):
        with pytest.raises(PipeBroken):
            await backend(pipes)
    async with asyncio.timeout(2):
        ended = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(end) for end in ended] == [ServerAway, ServerAway]
    assert for_ever.cancelled()
    with pytest.raises(ServerAway):
        await pipes.while_there(asyncio.sleep(0))


async def test_what_ends_while_the_server_is_there_ends_as_it_does(pipes: Pipes) -> None:
    async def fails() -> None:
        raise LookupError

    assert await pipes.while_there(asyncio.sleep(0, 7)) == 7
    with pytest.raises(LookupError):
        await pipes.while_there(fails())
