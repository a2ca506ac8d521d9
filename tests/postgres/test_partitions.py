"""Dropping old days of events: what goes, what stays, and what stands in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import func, select, text

from adapters.postgres import partitions
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from adapters.postgres.partitions import PartitionsNotDropped, drop_before, today
from bench.visits import LEAVES, visit
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.models import Event, Project, Session

OLD = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE_ALL = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""No partition was ever made for it."""
BORDER = date(2026, 3, 3)


@pytest.fixture
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, times=SessionTimes(), max_queued=10_000)
    recorder.start()
    yield recorder
    await recorder.stop()


@pytest.fixture
async def days(database: Database) -> None:
    async with database.transaction(None) as tx:
        await tx.execute(text("SELECT ensure_event_partitions('2026-03-01', 4)"))


async def _events(database: Database, project_id: UUID) -> list[date]:
    """The days of the events that are left, by their sessions."""
    async with database.transaction(project_id) as tx:
        found = await tx.execute(
            select(Session.started_at)
            .join(Event, (Event.project_id == Session.project_id) & (Event.session_id == Session.id))
            .distinct()
        )
        return sorted(row[0].date() for row in found)


async def _visit(recorder: Recorder, project_id: UUID, at: datetime) -> None:
    await recorder.record(visit(project_id, LEAVES, at))


@pytest.mark.usefixtures("days")
async def test_days_before_the_border_go_in_every_project_and_what_was_made_of_them_stays(
    database: Database, database_urls: DatabaseUrls, recorder: Recorder, project_id: UUID
) -> None:
    other = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=other, name=f"other-{other}", allowed_origins=[]))
    for project in (project_id, other):
        for at in (BEFORE_ALL, OLD, OLD + timedelta(days=1), OLD + timedelta(days=2)):
            await _visit(recorder, project, at)
    dropped = drop_before(database_urls.owner, BORDER)
    assert [partition.name for partition in dropped] == ["event_20260301", "event_20260302"]
    for project in (project_id, other):
        assert await _events(database, project) == [BORDER]
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Session)) == 4
    assert drop_before(database_urls.owner, BORDER) == []


@pytest.mark.usefixtures("days")
async def test_what_stands_in_no_day_of_its_own_is_told_beside_the_days(
    database_urls: DatabaseUrls, recorder: Recorder, project_id: UUID
) -> None:
    await _visit(recorder, project_id, BEFORE_ALL)
    with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as owner:
        owner.execute("ANALYZE event_default")
        (stored,) = owner.execute("SELECT count(*) FROM event_default").fetchone() or (0,)
    rows, size = partitions.outside(database_urls.owner)
    assert rows == stored >= len(LEAVES)
    assert size > 0
    assert "event_default" not in {partition.name for partition in partitions.partitions(database_urls.owner)}


@pytest.mark.usefixtures("days")
async def test_events_of_a_day_that_was_dropped_can_still_arrive(
    database: Database, database_urls: DatabaseUrls, recorder: Recorder, project_id: UUID
) -> None:
    drop_before(database_urls.owner, BORDER)
    await _visit(recorder, project_id, OLD)
    assert await _events(database, project_id) == [OLD.date()]


@pytest.mark.usefixtures("days")
async def test_who_reads_the_events_all_the_time_is_named_and_nothing_waits_behind(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(partitions, "TRIES", 2)
    with psycopg.connect(conninfo(database_urls.app)) as reader:
        reader.execute("SELECT count(*) FROM event")
        with pytest.raises(PartitionsNotDropped, match="somebody reads"):
            drop_before(database_urls.owner, date(2026, 3, 4))


@pytest.mark.usefixtures("days")
async def test_who_does_not_own_the_events_cannot_drop_them(database_urls: DatabaseUrls) -> None:
    with pytest.raises(PartitionsNotDropped, match="WHYLEFT_OWNER_DATABASE_URL"):
        drop_before(database_urls.app, date(2026, 3, 4))


def test_today_is_the_earlier_of_both_clocks_days(database_urls: DatabaseUrls) -> None:
    now = datetime.now(UTC)
    assert today(database_urls.owner, now + timedelta(days=365)) <= datetime.now(UTC).date()
    assert today(database_urls.owner, now - timedelta(days=365)) == (now - timedelta(days=365)).date()
