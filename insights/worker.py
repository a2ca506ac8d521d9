"""The work between requests: closes sessions, runs flows, learns from decisions, makes tomorrow's partitions."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from flows.feedback import forget_old_reports
from flows.watching import listen
from insights.channels.erasing import erase_elsewhere
from insights.channels.platform_feed import feed_platforms
from insights.channels.shop_codes import CodeMirror
from insights.channels.ticket_watch import watch_tickets
from insights.events.places import forget_old
from insights.models import Project
from insights.patterns.look import Looker
from insights.patterns.notices import Messenger
from insights.privacy.elsewhere import forget_names
from insights.privacy.requests import carry_out
from insights.privacy.retention import retain
from insights.sources.door import forget_old_receipts
from insights.wiring.services import Services

log = structlog.get_logger()

PARTITION_DAYS_AHEAD = 7
PARTITION_DAYS_BACK = 2
LOOK_AT_CLOCK = 30.0
"""Seconds between two looks whether the clock was set back."""


async def ensure_partitions(database: Database) -> int:
    """Makes the event partitions of the coming days; returns how many were missing."""
    first = (datetime.now(UTC) - timedelta(days=PARTITION_DAYS_BACK)).date()
    async with database.transaction(None) as tx:
        made = (
            await tx.execute(
                text("SELECT ensure_event_partitions(:first, :days)"),
                {"first": first, "days": PARTITION_DAYS_BACK + 1 + PARTITION_DAYS_AHEAD},
            )
        ).scalar_one()
    if made:
        log.info("partitions_made", count=made)
    return int(made)


async def forget_old_messages(database: Database) -> None:
    """Forgets which messages and webhooks came, once no sender brings them again."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            await forget_old(tx, project_id)
            await forget_old_receipts(tx, project_id)
            await forget_old_reports(tx, project_id, datetime.now(UTC))
            await forget_names(tx, project_id, datetime.now(UTC))


async def listen_for_flows(database: Database) -> None:
    """Brings what flows listen for up to date, should somebody have changed flows without saying so, and forgets what
    only runs that are over had waited for."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            await listen(tx, project_id, datetime.now(UTC))


async def work(services: Services, stop: asyncio.Event) -> None:
    """Works until ``stop`` is set, then finishes what is in hand."""
    # A machine that slept, or whose clock was set forward, makes up for what it missed, once.
    scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
    # Ticks only: what must not be lost is a row with a due time. Running on two workers at once is harmless, the
    # database function takes an advisory lock.
    scheduler.add_job(_tick, "interval", hours=1, args=[services.database], next_run_time=datetime.now(UTC))
    scheduler.add_job(_erase, "interval", minutes=1, args=[services], next_run_time=datetime.now(UTC))
    scheduler.add_job(_erase_elsewhere, "interval", minutes=1, args=[services])
    scheduler.add_job(_listen, "interval", minutes=1, args=[services.database], next_run_time=datetime.now(UTC))
    scheduler.add_job(_retain, "interval", hours=1, args=[services], next_run_time=datetime.now(UTC))
    scheduler.add_job(_look, "interval", hours=1, args=[services.looker], next_run_time=datetime.now(UTC))
    scheduler.add_job(_tell, "interval", minutes=1, args=[services.messenger], next_run_time=datetime.now(UTC))
    scheduler.add_job(_watch, "interval", minutes=10, args=[services])
    scheduler.add_job(_feed, "interval", minutes=1, args=[services])
    # Somebody may be typing it in already.
    scheduler.add_job(_mirror, "interval", seconds=5, args=[CodeMirror(services.database, services.channels)])
    scheduler.start()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(services.closer.serve(stop), name="session closer")
            group.create_task(services.runner.serve(stop), name="flow runner")
            group.create_task(services.uptake.serve(stop), name="flow uptake")
            group.create_task(services.learner.serve(stop), name="learner")
            group.create_task(_follow_clock(scheduler, stop), name="clock")
    finally:
        scheduler.shutdown(wait=False)
        await services.classifiers.close()


def bring_forward(scheduler: AsyncIOScheduler, now: datetime) -> int:
    """Makes every tick due that is further away than its interval, as all are after a clock was set back; how many."""
    late = [job for job in scheduler.get_jobs() if job.next_run_time > now + job.trigger.interval]
    for job in late:
        job.modify(next_run_time=now)
    return len(late)


async def _follow_clock(scheduler: AsyncIOScheduler, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if count := bring_forward(scheduler, datetime.now(UTC)):
            log.warning("clock_was_set_back", ticks=count)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_AT_CLOCK)


async def _tick(database: Database) -> None:
    try:
        await ensure_partitions(database)
        await forget_old_messages(database)
    except (DBAPIError, OSError) as error:
        log.warning("tick_failed", error=type(error).__name__)


async def _watch(services: Services) -> None:
    try:
        await watch_tickets(services.database, services.channels, datetime.now(UTC))
    except (DBAPIError, OSError) as error:
        log.warning("tickets_not_watched", error=type(error).__name__)


async def _mirror(codes: CodeMirror) -> None:
    try:
        await codes.round(datetime.now(UTC))
    except (DBAPIError, OSError) as error:
        log.warning("codes_not_mirrored", error=type(error).__name__)


async def _feed(services: Services) -> None:
    try:
        await feed_platforms(services.database, services.channels, datetime.now(UTC))
    except (DBAPIError, OSError) as error:
        log.warning("platforms_not_fed", error=type(error).__name__)


async def _listen(database: Database) -> None:
    try:
        await listen_for_flows(database)
    except (DBAPIError, OSError) as error:
        log.warning("flows_not_listened_for", error=type(error).__name__)


async def _retain(services: Services) -> None:
    try:
        await retain(services.database, services.settings.keep_days, datetime.now(UTC))
    except (DBAPIError, OSError, psycopg.Error) as error:
        log.warning("old_visits_not_erased", error=type(error).__name__)


async def _look(looker: Looker) -> None:
    try:
        await looker.look_everywhere()
    except (DBAPIError, OSError, TimeoutError) as error:
        log.warning("look_put_off", error=type(error).__name__)


async def _tell(messenger: Messenger) -> None:
    try:
        await messenger.send_everywhere()
    except (DBAPIError, OSError, TimeoutError) as error:
        log.warning("notices_put_off", error=type(error).__name__)


async def _erase(services: Services) -> None:
    try:
        await carry_out(services.database, services.forgetting.forget)
    except (DBAPIError, OSError) as error:
        log.warning("people_not_erased", error=type(error).__name__)


async def _erase_elsewhere(services: Services) -> None:
    try:
        await erase_elsewhere(services.database, services.channels, datetime.now(UTC))
    except (DBAPIError, OSError) as error:
        log.warning("providers_not_asked_to_erase", error=type(error).__name__)
