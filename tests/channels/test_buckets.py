"""Token buckets: every process together keeps to the rate."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import text

from adapters.postgres.buckets import take
from adapters.postgres.engine import Database


async def taken(database: Database, project_id: UUID, **rate: float) -> timedelta | None:
    async with database.transaction(project_id) as tx:
        return await take(tx, project_id, "mail", per_second=rate["per_second"], burst=int(rate["burst"]))


async def test_of_fifty_takers_at_once_as_many_get_through_as_the_burst_allows(
    database: Database, project_id: UUID
) -> None:
    # So slow that nothing is refilled while they take.
    waits = await asyncio.gather(*(taken(database, project_id, per_second=0.001, burst=7) for _ in range(50)))
    assert sum(wait is None for wait in waits) == 7
    assert all(wait is None or timedelta(seconds=900) < wait <= timedelta(seconds=1000) for wait in waits)


async def test_time_fills_the_bucket_and_never_past_its_burst(database: Database, project_id: UUID) -> None:
    for _ in range(2):
        assert await taken(database, project_id, per_second=0.01, burst=2) is None
    assert await taken(database, project_id, per_second=0.01, burst=2) is not None
    async with database.transaction(project_id) as tx:
        await tx.execute(text("UPDATE rate_bucket SET at = at - interval '1 day'"))
    results = [await taken(database, project_id, per_second=0.01, burst=2) for _ in range(3)]
    assert [wait is None for wait in results] == [True, True, False]


async def test_a_clock_that_was_set_back_neither_blocks_nor_floods(database: Database, project_id: UUID) -> None:
    assert await taken(database, project_id, per_second=0.01, burst=2) is None
    async with database.transaction(project_id) as tx:
        await tx.execute(text("UPDATE rate_bucket SET at = now() + interval '1 hour'"))
    assert await taken(database, project_id, per_second=0.01, burst=2) is None
    wait = await taken(database, project_id, per_second=0.01, burst=2)
    assert wait is not None
    assert wait <= timedelta(seconds=100)


async def test_projects_and_names_have_buckets_of_their_own(database: Database, project_id: UUID) -> None:
    async with database.transaction(project_id) as tx:
        assert await take(tx, project_id, "a", per_second=0.01, burst=1) is None
        assert await take(tx, project_id, "b", per_second=0.01, burst=1) is None
        assert await take(tx, project_id, "a", per_second=0.01, burst=1) is not None
    other = uuid4()
    async with database.transaction(other) as tx:
        assert await take(tx, other, "a", per_second=0.01, burst=1) is None


async def test_what_a_send_that_is_rolled_back_took_is_given_back(database: Database, project_id: UUID) -> None:
    class Undone(Exception):
        pass

    try:
        async with database.transaction(project_id) as tx:
            assert await take(tx, project_id, "a", per_second=0.01, burst=1) is None
            raise Undone
    except Undone:
        pass
    async with database.transaction(project_id) as tx:
        assert await take(tx, project_id, "a", per_second=0.01, burst=1) is None
