from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import event

from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.events.entry import Entry
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.events.wire import WireEvent
from insights.profiles.loading import ProfileLoader
from insights.vocabulary.ids import uuid7, uuid7_ms


@pytest.fixture
async def known(database: Database, project_id: UUID) -> AsyncIterator[list[UUID]]:
    """Three visitors with one, two and three stored pages."""
    visitors = [uuid4() for _ in range(3)]
    recorder = Recorder(database, times=SessionTimes(), max_queued=1000)
    recorder.start()
    for pages, visitor in enumerate(visitors, 1):
        session = uuid7()
        at = uuid7_ms(session)
        events = [WireEvent(uuid7(at), at + n, "page_viewed", n, {"path": f"/{n}"}) for n in range(pages)]
        await recorder.record(Entry(project_id, visitor, session, "t", None, at, events))
    await recorder.stop()
    yield visitors


@pytest.fixture
async def loader(database: Database) -> AsyncIterator[ProfileLoader]:
    made = ProfileLoader(database)
    yield made
    await made.close()


async def test_many_visitors_are_read_in_one_transaction_each_as_stored(
    database: Database, loader: ProfileLoader, project_id: UUID, known: list[UUID]
) -> None:
    begun = 0

    def count(connection: object) -> None:
        nonlocal begun
        begun += 1

    event.listen(database.engine.sync_engine, "begin", count)
    strangers = [uuid4() for _ in range(20)]
    try:
        copies = await asyncio.gather(*(loader.load(project_id, visitor) for visitor in [*known, *strangers]))
    finally:
        event.remove(database.engine.sync_engine, "begin", count)
    assert [copy.profile.pages for copy in copies] == [1, 2, 3] + [0] * 20
    assert [copy.version for copy in copies] == [1, 2, 3] + [0] * 20
    assert len({id(copy.profile) for copy in copies}) == 23
    assert begun == 1


async def test_a_stranger_does_not_wait_for_the_histories_of_others(
    loader: ProfileLoader, database_urls: DatabaseUrls, project_id: UUID, known: list[UUID]
) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner)) as connection:
        await connection.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        others = [asyncio.create_task(loader.load(project_id, visitor)) for visitor in known]
        async with asyncio.timeout(10):
            assert (await loader.load(project_id, uuid4())).version == 0
        assert not any(other.done() for other in others)
    assert [(await other).profile.pages for other in others] == [1, 2, 3]


async def test_a_visitor_of_another_project_is_a_stranger(loader: ProfileLoader, known: list[UUID]) -> None:
    assert (await loader.load(uuid4(), known[0])).profile.pages == 0


async def test_whoever_hangs_up_takes_no_answer_from_the_others(
    loader: ProfileLoader, project_id: UUID, known: list[UUID]
) -> None:
    gone = asyncio.create_task(loader.load(project_id, known[2]))
    stays = asyncio.create_task(loader.load(project_id, known[2]))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).profile.pages == 3


async def test_a_lost_database_is_told_to_everybody_who_waits() -> None:
    nowhere = Database(DatabaseUrls(owner="", app="postgresql://whyleft_app@127.0.0.1:1/none"))
    loader = ProfileLoader(nowhere)
    answers = await asyncio.gather(*(loader.load(uuid4(), uuid4()) for _ in range(5)), return_exceptions=True)
    assert {type(answer).__name__ for answer in answers} == {"ServerAway"}
    await nowhere.close()


async def test_a_connection_that_was_cut_is_made_again(
    database_urls: DatabaseUrls, loader: ProfileLoader, project_id: UUID, known: list[UUID]
) -> None:
    assert (await loader.load(project_id, known[1])).profile.pages == 2
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner), autocommit=True) as owner:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()",
            ["%json_object_agg(id, version) FROM visitor%"],
        )
    assert (await loader.load(project_id, known[2])).profile.pages == 3
