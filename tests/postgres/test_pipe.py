"""A pipe whose server goes away and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from adapters.postgres.engine import DatabaseUrls
from adapters.postgres.pipe import AlreadyStored, Pipe, PipeBroken
from tests.postgres.door import Door, door_to

ASK = ("SELECT 1", {})


@pytest.fixture
async def door(database_urls: DatabaseUrls) -> AsyncIterator[Door]:
    async with door_to(database_urls.app) as door:
        yield door


@pytest.fixture
async def pipe(door: Door) -> AsyncIterator[Pipe]:
    pipe = Pipe(DatabaseUrls(owner=door.url, app=door.url))
    yield pipe
    await pipe.close()


async def test_a_server_that_takes_connections_and_says_nothing_holds_nobody_up(door: Door, pipe: Pipe) -> None:
    assert await pipe.run(uuid4(), [ASK]) == [(1,)]
    door.slam()
    async with asyncio.timeout(3):
        for _ in range(10):
            with pytest.raises(PipeBroken):
                await pipe.run(uuid4(), [ASK])


async def test_once_the_server_answers_again_the_pipe_does_too(door: Door, pipe: Pipe) -> None:
    await pipe.run(uuid4(), [ASK])
    door.slam()
    for _ in range(2):
        with pytest.raises(PipeBroken):
            await pipe.run(uuid4(), [ASK])
    door.open = True
    door.cut()
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(PipeBroken):
                assert await pipe.run(uuid4(), [ASK]) == [(1,)]
                return
            await asyncio.sleep(0.01)


async def test_a_row_that_is_stored_already_is_no_reason_to_connect_again(door: Door, pipe: Pipe) -> None:
    backend, table = ("SELECT pg_backend_pid()", {}), ("CREATE TEMPORARY TABLE named (name text PRIMARY KEY)", {})
    add = ("INSERT INTO named VALUES (%(name)s)", {"name": "a"})
    first = await pipe.run(uuid4(), [backend, table, add])
    for _ in range(12):  # some time among these the statement behind the refused one is to be prepared
        await pipe.run(uuid4(), [ASK])
        with pytest.raises(AlreadyStored):
            await pipe.run(uuid4(), [("INSERT INTO named VALUES (%(name)s)", {"name": "b"}), add, ASK])
    assert await pipe.run(uuid4(), [backend, ("SELECT count(*) FROM named", {})]) == [first[0], (1,)]


async def test_a_pipe_that_is_closed_while_it_connects_leaves_nothing_behind(door: Door, pipe: Pipe) -> None:
    await pipe.run(uuid4(), [ASK])
    door.slam()
    for _ in range(2):
        with pytest.raises(PipeBroken):
            await pipe.run(uuid4(), [ASK])
    async with asyncio.timeout(2):
        await pipe.close()
