"""Ticks go by the clock of the wall: one that was set back must not put them off until it has caught up with itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from insights.worker import bring_forward


async def test_ticks_planned_by_a_clock_that_was_ahead_come_at_once_and_the_others_when_they_would() -> None:
    ran = asyncio.Event()

    async def tick() -> None:
        ran.set()

    now = datetime.now(UTC)
    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_job(tick, "interval", hours=1, next_run_time=now + timedelta(days=45))
    other = scheduler.add_job(tick, "interval", hours=1, next_run_time=now + timedelta(minutes=59))
    scheduler.start()
    try:
        assert bring_forward(scheduler, now) == 1
        async with asyncio.timeout(10):
            await ran.wait()
        assert other.next_run_time == now + timedelta(minutes=59)
        assert bring_forward(scheduler, datetime.now(UTC)) == 0
    finally:
        scheduler.shutdown(wait=False)
