"""The work between requests: closes sessions, runs flows, learns from decisions, makes tomorrow's partitions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.engine import Database
from flows.feedback import forget_old_reports
from flows.watching import listen
from insights.channels.erasing import erase_elsewhere
from insights.channels.platform_feed import feed_platforms
from insights.channels.shop_codes import CodeMirror
from insights.channels.ticket_watch import watch_tickets
from insights.events.places import forget_old
from insights.models import Project
from insights.privacy.elsewhere import forget_names
from insights.privacy.requests import carry_out
from insights.privacy.retention import retain
from insights.sources.door import forget_old_receipts
from insights.wiring.services import Services

log = structlog.get_logger()

PARTITION_DAYS_AHEAD = 7
PARTITION_DAYS_BACK = 2
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
"""After how long a tick that failed is tried again, the first time and at most; doubling in between."""
LOOK_AROUND = 5.0
"""Seconds between two looks whether the clock was set, and whether it and the schema are still the database's."""


async def ensure_partitions(database: Database) -> int:
    """Makes the event partitions of the coming days; returns how many were missing."""
    async with database.transaction(None) as tx:
        made = (
            await tx.execute(
                text("SELECT ensure_event_partitions((now() AT TIME ZONE 'UTC')::date - :back, :days)"),
                {"back": PARTITION_DAYS_BACK, "days": PARTITION_DAYS_BACK + 1 + PARTITION_DAYS_AHEAD},
            )
        ).scalar_one()
    if made:
        log.info("partitions_made", count=made)
    return int(made)


async def forget_old_messages(database: Database) -> None:
    """Forgets which messages and webhooks came, once no sender brings them again."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    now = await database.earlier(datetime.now(UTC))
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            await forget_old(tx, project_id)
            await forget_old_receipts(tx, project_id)
            await forget_old_reports(tx, project_id, now)
            await forget_names(tx, project_id, now)


async def listen_for_flows(database: Database) -> None:
    """Brings what flows listen for up to date, should somebody have changed flows without saying so, and forgets what
    only runs that are over had waited for."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            await listen(tx, project_id, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Tick:
    """What a worker does ``every`` so often, the first time at once or after that long.

    ``put_off``: what the log says where the database was away; then it is tried again soon. Several workers may do the
    same at once.
    """

    every: timedelta
    work: Callable[[], Awaitable[object]]
    put_off: str
    at_once: bool = True

    async def once(self) -> bool:
        """Does it, or says that it was put off; whether it was done."""
        try:
            await self.work()
        except (SQLAlchemyError, OSError, psycopg.Error) as error:
            log.warning(self.put_off, error=type(error).__name__)
            return False
        return True


def ticks(services: Services) -> list[Tick]:
    """Everything that goes by the clock alone. What must not be lost is a row with a due time, and no tick."""
    database, channels, now = services.database, services.channels, services.clock
    codes = CodeMirror(database, channels)

    async def keep_house() -> None:
        await ensure_partitions(database)
        await forget_old_messages(database)

    return [
        Tick(HOUR, keep_house, "tick_failed"),
        Tick(MINUTE, lambda: carry_out(database, services.forgetting.forget), "people_not_erased"),
        Tick(MINUTE, lambda: erase_elsewhere(database, channels, now()), "providers_not_asked_to_erase", at_once=False),
        Tick(MINUTE, lambda: listen_for_flows(database), "flows_not_listened_for"),
        Tick(HOUR, lambda: retain(database, services.settings.keep_days, now()), "old_visits_not_erased"),
        Tick(HOUR, services.looker.look_everywhere, "look_put_off"),
        Tick(MINUTE, services.messenger.send_everywhere, "notices_put_off"),
        Tick(10 * MINUTE, lambda: watch_tickets(database, channels, now()), "tickets_not_watched", at_once=False),
        Tick(MINUTE, lambda: feed_platforms(database, channels, now()), "platforms_not_fed", at_once=False),
        # Somebody may be typing it in already.
        Tick(timedelta(seconds=5), lambda: codes.round(now()), "codes_not_mirrored", at_once=False),
    ]


async def work(services: Services, stop: asyncio.Event) -> None:
    """Works until ``stop`` is set, then finishes what is in hand. Pauses while the schema is not this code's: what an
    older worker writes into a newer schema is wrong, or lost."""
    try:
        while not stop.is_set():
            log.info("working")
            await _work_on_our_schema(services, stop)
            await services.readiness.wait_for_schema(stop)
    finally:
        await services.classifiers.close()


async def _work_on_our_schema(services: Services, stop: asyncio.Event) -> None:
    """Works until ``stop`` is set or the schema is another one, then finishes what is in hand."""
    ending = asyncio.Event()
    # A machine that slept, or whose clock was set forward, makes up for what it missed, once.
    scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
    for tick in ticks(services):
        schedule(scheduler, tick)
    scheduler.start()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(services.closer.serve(ending), name="session closer")
            group.create_task(services.runner.serve(ending), name="flow runner")
            group.create_task(services.uptake.serve(ending), name="flow uptake")
            group.create_task(services.learner.serve(ending), name="learner")
            group.create_task(_look_around(services, scheduler, stop, ending), name="clock and schema")
    finally:
        scheduler.shutdown(wait=False)


def schedule(scheduler: AsyncIOScheduler, tick: Tick) -> None:
    """Has ``scheduler`` do it for as long as it runs; soon again where it failed, instead of an hour later."""
    failures = 0

    async def once() -> None:
        nonlocal failures
        if await tick.once():
            failures = 0
            return
        again = datetime.now(UTC) + min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(failures, 20)))
        failures += 1
        if again < job.next_run_time:
            job.modify(next_run_time=again)

    first = datetime.now(UTC) + (timedelta() if tick.at_once else tick.every)
    job = scheduler.add_job(once, "interval", seconds=tick.every.total_seconds(), next_run_time=first)


def bring_forward(scheduler: AsyncIOScheduler, now: datetime) -> int:
    """Makes every tick due that is further away than its interval, as all are after a clock was set back; how many."""
    late = [job for job in scheduler.get_jobs() if job.next_run_time > now + job.trigger.interval]
    for job in late:
        job.modify(next_run_time=now)
    return len(late)


async def _look_around(
    services: Services, scheduler: AsyncIOScheduler, stop: asyncio.Event, ending: asyncio.Event
) -> None:
    """Follows the clocks, and sets ``ending`` once ``stop`` is set or the schema is not this code's any more."""
    while not stop.is_set():
        await services.readiness.schema_trouble()
        if services.readiness.other_schema:
            break
        if count := bring_forward(scheduler, datetime.now(UTC)):
            log.warning("clock_was_set_back", ticks=count)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_AROUND)
    ending.set()
