"""Projects are written side by side: one whose flush is held up keeps nobody else waiting, and its own order stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.errors import Unavailable
from insights.events.entry import Entry
from insights.events.flush import SessionTimes
from insights.events.record import LINES_AT_ONCE, Recorder
from insights.events.wire import WireEvent
from insights.models import Event, Project
from insights.vocabulary.ids import uuid7, uuid7_ms
from tests.postgres.door import door_to


@pytest.fixture
async def projects(database: Database) -> list[UUID]:
    made = [uuid4() for _ in range(LINES_AT_ONCE + 1)]
    async with database.transaction(None) as tx:
        tx.add_all([Project(id=each, name=f"shop-{each}", allowed_origins=[]) for each in made])
    return made


def visit(project_id: UUID, *types: str) -> Entry:
    session = uuid7()
    at = uuid7_ms(session)
    events = [WireEvent(uuid7(at), at + n, type, n, {"order_id": str(n)}) for n, type in enumerate(types)]
    return Entry(project_id, uuid4(), session, "t", None, at, events)


def more(entry: Entry, seq: int) -> Entry:
    """The same visit's next batch."""
    return replace(entry, events=[WireEvent(uuid7(entry.received_ms), entry.received_ms + seq, "clicked", seq)])


@asynccontextmanager
async def held_up(urls: DatabaseUrls, *entries: Entry) -> AsyncIterator[psycopg.AsyncConnection]:
    """Within the block whatever touches the visits of ``entries`` waits in the database."""
    async with await psycopg.AsyncConnection.connect(conninfo(urls.owner)) as connection:
        for entry in entries:
            await connection.execute("SELECT FROM session WHERE id = %s FOR UPDATE", [entry.session_id])
        yield connection


async def until_waiting(urls: DatabaseUrls, number: int) -> None:
    """Returns once so many transactions wait for a lock."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with (
        asyncio.timeout(10),
        await psycopg.AsyncConnection.connect(conninfo(urls.owner), autocommit=True) as connection,
    ):
        while (await (await connection.execute(count)).fetchone()) != (number,):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def stored(database: Database, project_id: UUID) -> list[int]:
    async with database.transaction(project_id) as tx:
        return list(await tx.scalars(select(Event.seq).order_by(Event.received_at, Event.seq)))


@pytest.mark.parametrize("kind", ["clicked", "purchased"])
async def test_a_project_whose_flush_waits_for_a_lock_keeps_no_other_waiting(
    recorder: Recorder, database: Database, database_urls: DatabaseUrls, projects: list[UUID], kind: str
) -> None:
    stuck, quiet = visit(projects[0], "page_viewed"), visit(projects[1], "page_viewed", kind)
    await recorder.record(stuck)
    async with held_up(database_urls, stuck):
        waits = asyncio.create_task(recorder.record(more(stuck, 1)))
        await until_waiting(database_urls, 1)
        async with asyncio.timeout(5):
            assert await recorder.record(quiet) == 2
        assert not waits.done()
    assert await waits == 1


async def test_of_one_project_one_flush_is_under_way_and_what_came_meanwhile_is_the_next(
    recorder: Recorder, database: Database, database_urls: DatabaseUrls, projects: list[UUID]
) -> None:
    flushed: list[int] = []
    recorder._on_flushed = lambda events, seconds: flushed.append(events)
    stuck, free = visit(projects[0], "page_viewed"), visit(projects[0], "page_viewed")
    await recorder.record(stuck)
    async with held_up(database_urls, stuck):
        waits = asyncio.create_task(recorder.record(more(stuck, 1)))
        await until_waiting(database_urls, 1)
        later = [asyncio.create_task(recorder.record(entry)) for entry in (free, more(free, 1))]
        await asyncio.sleep(0.1)
        # Another visit's events, which no lock holds up, do not overtake either.
        assert not any(task.done() for task in later)
        assert len(await stored(database, projects[0])) == 1
    assert await asyncio.gather(waits, *later) == [1] * 3
    assert flushed == [1, 1, 2]


async def test_an_order_that_is_held_up_holds_up_nobody_elses_page_views_and_its_own_visitor_overtakes_nothing(
    recorder: Recorder, database: Database, database_urls: DatabaseUrls, projects: list[UUID]
) -> None:
    buyer, looker = visit(projects[0], "page_viewed"), visit(projects[0], "page_viewed")
    await recorder.record(buyer)
    async with held_up(database_urls, buyer):
        order = replace(visit(projects[0], "purchased"), visitor_id=buyer.visitor_id, session_id=buyer.session_id)
        waits = [asyncio.create_task(recorder.record(order))]
        await until_waiting(database_urls, 1)
        waits.append(asyncio.create_task(recorder.record(more(buyer, 1))))
        async with asyncio.timeout(5):
            assert await recorder.record(looker) == 1
            assert await recorder.record(more(looker, 1)) == 1
        assert not any(wait.done() for wait in waits)
    assert await asyncio.gather(*waits) == [1, 1]


async def test_as_many_projects_as_may_be_held_up_at_once_let_go_what_waited_behind_them(
    recorder: Recorder, database: Database, database_urls: DatabaseUrls, projects: list[UUID]
) -> None:
    first = [visit(project_id, "page_viewed") for project_id in projects]
    await asyncio.gather(*(recorder.record(entry) for entry in first))
    async with held_up(database_urls, *first[:-1]):
        waits = [asyncio.create_task(recorder.record(more(entry, 1))) for entry in first[:-1]]
        await until_waiting(database_urls, LINES_AT_ONCE)
        last = asyncio.create_task(recorder.record(more(first[-1], 1)))
        await asyncio.sleep(0.05)
        assert not last.done()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*waits, last) == [1] * len(projects)


async def test_the_end_waits_for_every_projects_flush_and_for_what_waits_behind_it(
    database: Database, database_urls: DatabaseUrls, projects: list[UUID]
) -> None:
    recorder = Recorder(database, times=SessionTimes(), max_queued=500)
    recorder.start()
    first = [visit(project_id, "page_viewed") for project_id in projects]
    await asyncio.gather(*(recorder.record(entry) for entry in first))
    async with held_up(database_urls, *first[:2]):
        waits = [asyncio.create_task(recorder.record(more(entry, 1))) for entry in first[:2]]
        await until_waiting(database_urls, 2)
        waits += [asyncio.create_task(recorder.record(more(entry, seq))) for entry in first for seq in (2, 3)]
        await asyncio.sleep(0)
        ending = asyncio.create_task(recorder.stop())
        await asyncio.sleep(0.1)
        assert not ending.done()
        with pytest.raises(Unavailable, match="shutting down"):
            await recorder.record(more(first[0], 9))
    await ending
    assert await asyncio.gather(*waits) == [1] * len(waits)
    for number, project_id in enumerate(projects):
        assert len(await stored(database, project_id)) == (4 if number < 2 else 3)


async def test_of_a_project_that_floods_beside_another_few_commits_are_made_and_the_end_waits_for_no_rest(
    database: Database, projects: list[UUID]
) -> None:
    recorder = Recorder(database, times=SessionTimes(), max_queued=20_000)
    recorder.start()
    loud, quiet = projects[:2]
    await recorder.record(visit(quiet, "page_viewed"))
    recorder.turned_away(loud)
    await recorder.record(visit(loud, "page_viewed"))
    flushed: list[int] = []
    recorder._on_flushed = lambda events, seconds: flushed.append(events)
    rested = []
    for _ in range(50):
        rested.append(asyncio.create_task(recorder.record(visit(loud, "page_viewed"))))
        await asyncio.sleep(0)
    assert await recorder.record(visit(quiet, "page_viewed")) == 1
    assert flushed == [1]
    recorder.turned_away(loud)
    # Committed together, and told little by little: the others' requests come in between.
    told, untold = await asyncio.wait(rested, return_when=asyncio.FIRST_COMPLETED)
    assert flushed == [1, 50]
    assert (rested[0] in told, rested[-1] in untold) == (True, True)
    assert await asyncio.gather(*rested) == [1] * 50
    # As much as is written at a time is not gathered for longer.
    many = [asyncio.create_task(recorder.record(visit(loud, *["clicked"] * 49))) for _ in range(12)]
    await asyncio.sleep(0)
    assert not recorder._resting
    await asyncio.gather(*many)
    recorder.turned_away(loud)
    await recorder.record(visit(quiet, "page_viewed"))
    last = [asyncio.create_task(recorder.record(visit(loud, "page_viewed"))) for _ in range(3)]
    await asyncio.sleep(0)
    await recorder.stop()
    assert all(task.done() for task in last)
    assert await asyncio.gather(*last) == [1] * 3


async def test_a_connection_that_is_lost_fails_neither_its_project_nor_the_one_beside_it(
    recorder: Recorder, database: Database, database_urls: DatabaseUrls, projects: list[UUID]
) -> None:
    first = [visit(project_id, "page_viewed") for project_id in projects[:2]]
    await asyncio.gather(*(recorder.record(entry) for entry in first))
    async with held_up(database_urls, *first):
        waits = [asyncio.create_task(recorder.record(more(entry, 1))) for entry in first]
        await until_waiting(database_urls, 2)
        async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner), autocommit=True) as owner:
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database() ORDER BY query_start LIMIT 1"
            )
    assert await asyncio.gather(*waits) == [1, 1]
    for project_id in projects[:2]:
        assert len(await stored(database, project_id)) == 2


async def test_while_the_database_is_away_all_are_told_at_once_and_what_they_send_again_is_stored_once(
    database: Database, database_urls: DatabaseUrls, projects: list[UUID]
) -> None:
    async with door_to(database_urls.app) as door:
        through = Database(DatabaseUrls(owner=door.url, app=door.url))
        recorder = Recorder(through, times=SessionTimes(), max_queued=500)
        recorder.start()
        sent = [visit(project_id, "page_viewed", "clicked") for project_id in projects]
        assert await recorder.record(sent[0]) == 2
        door.slam()
        await refused(recorder, sent)
        recorder_knows = door.taken
        await refused(recorder, sent * 10)
        with pytest.raises(Unavailable, match="cannot be reached"):
            recorder.check_room(projects[0], 1)
        assert door.taken - recorder_knows <= 1
        assert recorder.queued == 0
        door.open = True
        door.cut()
        assert sum(await asyncio.gather(*(until_taken(recorder, entry) for entry in sent))) == 2 * (len(projects) - 1)
        await recorder.stop()
        await through.close()
    async with database.transaction(projects[0]) as tx:
        assert await tx.scalar(select(func.count()).select_from(Event)) == 2


async def refused(recorder: Recorder, entries: list[Entry]) -> None:
    ended = await asyncio.gather(*(recorder.record(entry) for entry in entries), return_exceptions=True)
    assert all(isinstance(end, Unavailable) for end in ended)


async def until_taken(recorder: Recorder, entry: Entry) -> int:
    async with asyncio.timeout(10):
        while True:
            try:
                return await recorder.record(entry)
            except Unavailable:
                await asyncio.sleep(0.02)
