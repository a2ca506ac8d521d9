"""The write path: committed or refused, never lost, never twice, whatever happens to the connection."""

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
from flows.models import Conversion
from insights.errors import Refused, Unavailable
from insights.events.entry import Entry
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.events.wire import WireEvent
from insights.models import Event, Session, Visitor
from insights.vocabulary.ids import uuid7, uuid7_ms
from tests.e2e.server import until


def visit(project_id: UUID, types: list[str], **props: object) -> Entry:
    session = uuid7()
    at = uuid7_ms(session)
    events = [WireEvent(uuid7(at), at + n, type, n, dict(props)) for n, type in enumerate(types)]
    return Entry(project_id, uuid4(), session, "t", None, at, events)


async def stored(database: Database, project_id: UUID) -> int:
    async with database.transaction(project_id) as tx:
        return (await tx.scalar(select(func.count()).select_from(Event))) or 0


async def cut_every_connection(database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner), autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_what_waits_is_committed_together_and_counted_for_each(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    entries = [visit(project_id, ["page_viewed"] * n) for n in range(1, 6)]
    assert await asyncio.gather(*(recorder.record(entry) for entry in entries)) == [1, 2, 3, 4, 5]
    assert await stored(database, project_id) == 15
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Session)) == 5
        assert await tx.scalar(select(func.count()).select_from(Visitor)) == 5


async def test_a_retry_counts_as_new_for_whoever_came_first(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    entry, other = visit(project_id, ["clicked"] * 3), visit(project_id, ["clicked"] * 2)
    together = await asyncio.gather(*(recorder.record(item) for item in (entry, entry, other)))
    assert sorted(together) == [0, 2, 3]
    assert together[2] == 2
    assert await recorder.record(entry) == 0
    grown = Entry(entry.project_id, entry.visitor_id, entry.session_id, "t", None, entry.received_ms, [
        *entry.events, WireEvent(uuid7(entry.received_ms), entry.received_ms + 9, "clicked", 9)
    ])  # fmt: skip
    assert await recorder.record(grown) == 1
    assert await stored(database, project_id) == 6


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ([{}, {"value_minor": 100, "currency": "EUR"}], (100, "EUR")),
        ([{"value_minor": 100, "currency": "EUR"}, {}], (100, "EUR")),
        ([{"value_minor": 100}, {"value_minor": 100, "currency": "EUR"}], (100, "EUR")),
        ([{"currency": "EUR"}, {"value_minor": 100}], (100, "EUR")),
        ([{"value_minor": 100, "currency": "EUR"}, {"value_minor": 900, "currency": "USD"}], (100, "EUR")),
    ],
)
async def test_what_an_order_came_to_is_known_whoever_says_it(
    recorder: Recorder, database: Database, project_id: UUID, told: list[dict[str, object]], known: tuple[int, str]
) -> None:
    for props in told:
        await recorder.record(visit(project_id, ["purchased"], order_id="o-2", **props))
    async with database.transaction(project_id) as tx:
        (order,) = await tx.scalars(select(Conversion))
    assert (order.value_minor, order.currency) == known


async def test_a_flush_with_a_purchase_in_it_counts_the_same(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    bought = visit(project_id, ["page_viewed", "purchased"], order_id="o-1", value_minor=100, currency="EUR")
    plain = visit(project_id, ["clicked"])
    assert await asyncio.gather(*(recorder.record(item) for item in (bought, plain, bought))) == [2, 1, 0]


async def test_what_a_profile_wrongly_took_for_new_is_stored_once_and_counted_once(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    first = visit(project_id, ["clicked"] * 3)
    assert await recorder.record(first) == 3
    grown = replace(first, events=[*first.events, WireEvent(uuid7(first.received_ms), first.received_ms, "clicked", 9)])
    grown.before, grown.fresh = 0, 4
    other = visit(project_id, ["clicked"] * 2)
    other.before, other.fresh = 0, 2
    assert grown.surely_new and other.surely_new
    assert await asyncio.gather(*(recorder.record(item) for item in (other, grown, grown))) == [2, 1, 0]
    assert (other.stale, grown.stale) == (False, True)
    assert await stored(database, project_id) == 6
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(Visitor.version).where(Visitor.id == grown.visitor_id)) == 4


@pytest.mark.parametrize("more", [[], ["identified"]])
async def test_two_processes_that_store_the_same_at_once_store_it_once(
    recorder: Recorder, database: Database, project_id: UUID, more: list[str]
) -> None:
    elsewhere = Recorder(database, times=SessionTimes(), max_queued=500)
    elsewhere.start()
    sent = [visit(project_id, ["page_viewed", "clicked", *more], user_id="u") for _ in range(20)]
    for entry in sent:
        entry.before, entry.fresh = 0, len(entry.events)
    again = [replace(entry) for entry in sent]
    pairs = [(recorder.record(one), elsewhere.record(other)) for one, other in zip(sent, again, strict=True)]
    answers = await asyncio.gather(*(call for pair in pairs for call in pair))
    await elsewhere.stop()
    assert sum(answers) == await stored(database, project_id) == 20 * (2 + len(more))


async def test_an_event_without_an_address_happened_on_its_page(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    entry = replace(visit(project_id, ["clicked"] * 3), page_url="https://shop.example/a?mail=ada@example.org")
    for event, url in zip(entry.events, (None, "", "https://shop.example/b?mail=ada@example.org"), strict=True):
        event.url = url
    await recorder.record(entry)
    async with database.transaction(project_id) as tx:
        urls = await tx.scalars(select(Event.url).order_by(Event.seq))
        assert list(urls) == [f"https://shop.example/{page}?mail=[email]" for page in "aab"]


async def test_a_full_queue_refuses_at_once_and_takes_again_when_it_has_room(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    many = [visit(project_id, ["clicked"] * 99) for _ in range(20)]
    answers = await asyncio.gather(*(recorder.record(entry) for entry in many), return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, int)]
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(taken) == 5
    assert len(refused) == 15
    assert await stored(database, project_id) == 99 * 5
    assert await recorder.record(many[-1]) == 99


async def test_connections_that_die_between_two_flushes_cost_nobody_anything(
    recorder: Recorder, database: Database, database_urls: DatabaseUrls, project_id: UUID
) -> None:
    assert await recorder.record(visit(project_id, ["clicked"])) == 1
    await cut_every_connection(database_urls)
    assert await recorder.record(visit(project_id, ["clicked"] * 2)) == 2
    await cut_every_connection(database_urls)
    assert await recorder.record(visit(project_id, ["purchased"], order_id="o-2")) == 1
    assert await stored(database, project_id) == 4


async def test_a_batch_that_the_database_refuses_takes_no_other_with_it(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    good = [visit(project_id, ["clicked"]) for _ in range(4)]
    bad = visit(project_id, ["clicked"], label="half a \x00 text")
    answers = await asyncio.gather(
        *(recorder.record(entry) for entry in (*good[:2], bad, *good[2:])), return_exceptions=True
    )
    assert [answer for answer in answers if isinstance(answer, int)] == [1, 1, 1, 1]
    assert isinstance(answers[2], Refused)
    assert await stored(database, project_id) == 4


async def test_what_waits_at_the_end_is_written_and_what_comes_later_is_refused(
    database: Database, project_id: UUID
) -> None:
    recorder = Recorder(database, times=SessionTimes(), max_queued=500)
    recorder.start()
    waiting = [asyncio.create_task(recorder.record(visit(project_id, ["clicked"]))) for _ in range(10)]
    await asyncio.sleep(0)
    await recorder.stop()
    assert await asyncio.gather(*waiting) == [1] * 10
    with pytest.raises(Unavailable):
        await recorder.record(visit(project_id, ["clicked"]))


async def test_a_database_that_is_not_there_is_named_and_nothing_counts_as_stored(project_id: UUID) -> None:
    nowhere = Database(DatabaseUrls(owner="", app="postgresql://whyleft_app@127.0.0.1:1/none"))
    recorder = Recorder(nowhere, times=SessionTimes(), max_queued=500)
    recorder.start()
    for types in (["clicked"], ["purchased"]):
        with pytest.raises(Unavailable, match="Nothing was stored"):
            await recorder.record(visit(project_id, types, order_id="o-3"))
    await recorder.stop()
    await nowhere.close()


@asynccontextmanager
async def refusing(database_urls: DatabaseUrls, project_id: UUID, state: str) -> AsyncIterator[None]:
    """PostgreSQL refuses one project's sessions with this state: other tests share the server."""
    name = f"refused_{project_id.hex}"
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner), autocommit=True) as owner:
        await owner.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END$$"
        )
        await owner.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON session FOR EACH ROW"
            f" WHEN (NEW.project_id = '{project_id}') EXECUTE FUNCTION {name}()"
        )
        try:
            yield
        finally:
            await owner.execute(f"DROP FUNCTION {name} CASCADE")


async def test_a_full_disk_is_named_and_goes_by(
    recorder: Recorder, database: Database, database_urls: DatabaseUrls, project_id: UUID
) -> None:
    async with refusing(database_urls, project_id, "disk_full"):
        for types in (["clicked"], ["purchased"]):
            with pytest.raises(Unavailable, match="disk of the database is full"):
                await recorder.record(visit(project_id, types, order_id="o-4"))
            assert "the disk of the database is full" in (recorder.trouble or "")
    assert await recorder.record(visit(project_id, ["clicked"])) == 1
    assert recorder.trouble is None
    assert await stored(database, project_id) == 1


@pytest.mark.parametrize("state", ["read_only_sql_transaction", "insufficient_privilege", "undefined_column"])
async def test_a_server_that_takes_nothing_costs_no_event(
    recorder: Recorder, database_urls: DatabaseUrls, project_id: UUID, state: str
) -> None:
    """A standby, a right that is missing, another schema: no fault of the batch, which is to be sent again."""
    async with refusing(database_urls, project_id, state):
        for types in (["clicked"], ["purchased"]):
            with pytest.raises(Unavailable, match="Nothing was stored"):
                await recorder.record(visit(project_id, types, order_id="o-5"))
    assert await recorder.record(visit(project_id, ["clicked"])) == 1


async def test_an_acknowledged_batch_is_on_the_disk_of_a_server_that_syncs(database: Database) -> None:
    async with database.transaction(None) as tx:
        connection = await tx.connection()
        assert (await connection.exec_driver_sql("SHOW fsync")).scalar_one() == "on"
        assert (await connection.exec_driver_sql("SHOW synchronous_commit")).scalar_one() == "on"


async def test_a_flush_that_makes_no_progress_is_named_to_operators_until_it_does(
    database: Database, database_urls: DatabaseUrls, project_id: UUID
) -> None:
    recorder = Recorder(database, times=SessionTimes(), max_queued=1_000, patience=0.2)
    recorder.start()
    await recorder.record(visit(project_id, ["page_viewed"]))
    assert recorder.blocked is None
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner)) as owner:
        await owner.execute("LOCK TABLE session IN ACCESS EXCLUSIVE MODE")
        waits = asyncio.create_task(recorder.record(visit(project_id, ["page_viewed"])))

        async def said() -> str | None:
            return recorder.blocked

        assert (await until(said, 8)).startswith("stuck")
        await owner.rollback()
    assert await waits == 1
    assert recorder.blocked is None
    await recorder.stop()


async def test_events_that_cannot_be_written_are_named_though_the_database_answers_others(
    database: Database, database_urls: DatabaseUrls, project_id: UUID
) -> None:
    nowhere = database_urls.app.replace("whyleft_app@", "nobody_of_this_name@")
    elsewhere = Database(DatabaseUrls(owner=nowhere, app=nowhere))
    recorder = Recorder(elsewhere, times=SessionTimes(), max_queued=1_000)
    recorder.start()
    with pytest.raises(Unavailable):
        await recorder.record(visit(project_id, ["page_viewed"]))
    assert recorder.blocked == "the database cannot be reached by what writes events"
    await recorder.stop()
