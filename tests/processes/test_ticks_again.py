"""What a worker does by the clock is tried again soon where it failed, as where its first try meets no database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.exc import InterfaceError, TimeoutError

from insights.worker import FIRST_PAUSE, LONGEST_PAUSE, Tick, schedule

HOUR: Final = timedelta(hours=1)


@pytest.mark.parametrize(
    "away", [OSError("no route"), InterfaceError("select", {}, OSError()), TimeoutError("no room")]
)
async def test_an_hourly_tick_that_failed_at_first_is_done_within_moments_and_then_hourly(away: Exception) -> None:
    tries = 0
    done = asyncio.Event()

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise away
        done.set()

    scheduler = AsyncIOScheduler(timezone=UTC)
    schedule(scheduler, Tick(HOUR, work, "look_put_off"))
    scheduler.start()
    try:
        async with asyncio.timeout(60):
            await done.wait()
        (job,) = scheduler.get_jobs()
        assert job.next_run_time > datetime.now(UTC) + HOUR / 2
    finally:
        scheduler.shutdown(wait=False)
    assert tries == 2


async def test_the_pauses_grow_and_are_no_longer_than_the_interval() -> None:
    async def work() -> None:
        raise OSError

    scheduler = AsyncIOScheduler(timezone=UTC)
    schedule(scheduler, Tick(HOUR, work, "look_put_off"))
    schedule(scheduler, Tick(FIRST_PAUSE, work, "codes_not_mirrored"))
    scheduler.start(paused=True)
    try:
        hourly, often = scheduler.get_jobs()
        pauses = []
        for _ in range(12):
            hourly.modify(next_run_time=datetime.now(UTC) + HOUR)
            began = datetime.now(UTC)
            await hourly.func()
            pauses.append(hourly.next_run_time - began)
        assert FIRST_PAUSE <= pauses[0] < pauses[1] < pauses[2] < pauses[-1]
        assert pauses[-1] >= LONGEST_PAUSE
        assert max(pauses) < HOUR / 2
        planned = datetime.now(UTC) + FIRST_PAUSE / 2
        often.modify(next_run_time=planned)
        await often.func()
        assert often.next_run_time == planned
    finally:
        scheduler.shutdown(wait=False)
