"""Follows the tickets that were opened for errors: told of more sessions, closed when the error stops, and when an
engineer closed one, the people who met the error hear that it is fixed.

A tracker is asked between two transactions, never inside one. Several workers take turns by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, SendIntent
from adapters.channels.work.tracker import Tracker
from adapters.postgres.engine import Database
from flows.ports import Channels
from flows.triggers import signal, signal_given_at
from insights.models import Project, Session, TicketWatch
from insights.recovery.sightings import SESSIONS_SINCE, sightings

log = structlog.get_logger()

FIXED: Final = "ticket_fixed"
"""The signal that flows wait for."""
STOPPED: Final = timedelta(days=3)
"""An error that nobody met for so long, while people visited, has stopped."""
EVERY: Final = timedelta(minutes=10)
MOST_AT_ONCE: Final = 50
NEWS: Final = 2
"""A ticket is told of more sessions when they are so many times what it says."""

_NEW = text("""
INSERT INTO ticket_watch (project_id, delivery_id, channel_id, ticket, fingerprint, opened_at, looked_at, sessions_told)
SELECT project_id, id, channel_id, provider_id, content->>'fingerprint', created_at, '-infinity',
       COALESCE((content->>'sessions')::int, 1)
FROM delivery
WHERE project_id = :project AND channel = 'ticket' AND status = 'accepted' AND channel_id IS NOT NULL
    AND provider_id IS NOT NULL AND content->>'fingerprint' IS NOT NULL AND created_at > :since
ON CONFLICT DO NOTHING
""")
_DUE = text("""
UPDATE ticket_watch SET looked_at = :now WHERE project_id = :project AND delivery_id IN (
    SELECT delivery_id FROM ticket_watch
    WHERE project_id = :project AND closed_at IS NULL AND looked_at < :before
    ORDER BY looked_at LIMIT :most FOR UPDATE SKIP LOCKED)
RETURNING delivery_id
""")
_LOOKED_BACK: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known here of a watched ticket's error. ``stopped``: nobody met it for long, though people came."""

    watch: TicketWatch
    tracker: Tracker  # type: ignore[type-arg]
    sessions: int
    last: datetime | None
    stopped: bool
    said_fixed: bool


async def watch_tickets(database: Database, channels: Channels, now: datetime) -> int:
    """Looks at the tickets of all projects that are due; returns how many were closed, by either side."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    closed = 0
    for project_id in projects:
        for seen in await _due(database, channels, project_id, now):
            closed += await _follow(database, project_id, seen, now)
    return closed


async def _due(database: Database, channels: Channels, project_id: UUID, now: datetime) -> list[_Seen]:
    async with database.transaction(project_id) as tx:
        await tx.execute(_NEW, {"project": project_id, "since": now - _LOOKED_BACK})
        given = {"project": project_id, "now": now, "before": now - EVERY, "most": MOST_AT_ONCE}
        due = list(await tx.scalars(_DUE, given))
        if not due:
            return []
        ways = {channel.id: channel for channel in (await channels.of(tx, project_id)).values()}
        rows = await tx.scalars(
            select(TicketWatch).where(TicketWatch.project_id == project_id, TicketWatch.delivery_id.in_(due))
        )
        found = []
        for watch in rows.all():
            tracker = ways.get(watch.channel_id)
            if isinstance(tracker, Tracker):
                found.append(await _seen(tx, project_id, watch, tracker, now))
        return found


async def _seen(tx: AsyncSession, project_id: UUID, watch: TicketWatch, tracker: Tracker, now: datetime) -> _Seen:  # type: ignore[type-arg]
    sessions, last = await sightings(tx, project_id, watch.fingerprint, since=watch.opened_at - SESSIONS_SINCE)
    stopped = max(last or watch.opened_at, watch.opened_at) < now - STOPPED
    if stopped:
        visits = select(Session.id).where(Session.project_id == project_id, Session.started_at > now - STOPPED)
        stopped = await tx.scalar(visits.limit(1)) is not None
    told = await signal_given_at(tx, project_id, FIXED, watch.fingerprint)
    return _Seen(watch, tracker, sessions, last, stopped, told is not None and told >= watch.opened_at)


async def _follow(database: Database, project_id: UUID, seen: _Seen, now: datetime) -> bool:
    watch, still_open = seen.watch, await seen.tracker.is_open(seen.watch.ticket)
    if still_open is False:
        async with database.transaction(project_id) as tx:
            await _write(tx, project_id, watch, closed_at=now, closed_by="them")
            if not seen.said_fixed:
                runs = await signal(tx, project_id, FIXED, watch.fingerprint, now)
                log.info("ticket_closed_by_them", fingerprint=watch.fingerprint, runs=runs)
        return True
    if seen.said_fixed or seen.stopped:
        why = (
            "It was reported as fixed."
            if seen.said_fixed
            else f"Nobody has met this since {seen.last or watch.opened_at:%Y-%m-%d %H:%M} UTC."
        )
        comment = f"{why} {seen.sessions} sessions met it in all. Closed by Whyleft."
        said = seen.tracker.says_when_closing or await _says(seen, "update", comment)
        if said and await _says(seen, "close", comment):
            async with database.transaction(project_id) as tx:
                await _write(tx, project_id, watch, closed_at=now, closed_by="us")
            log.info("ticket_closed", fingerprint=watch.fingerprint)
            return True
    elif seen.sessions >= NEWS * watch.sessions_told:
        last = f", the last at {seen.last:%Y-%m-%d %H:%M} UTC" if seen.last is not None else ""
        if await _says(seen, "update", f"{seen.sessions} sessions have met this by now{last}."):
            async with database.transaction(project_id) as tx:
                await _write(tx, project_id, watch, sessions_told=seen.sessions)
    return False


async def _says(seen: _Seen, do: str, comment: str) -> bool:
    """Whether the tracker took it. Where it did not, it is tried again at the next look."""
    key = f"{seen.watch.delivery_id}/{do}/{seen.sessions}"
    result = await seen.tracker.send(SendIntent(key, None, {"do": do, "ticket": seen.watch.ticket, "comment": comment}))
    if not isinstance(result, Accepted):
        log.warning("ticket_not_changed", do=do, why=result.why)
    return isinstance(result, Accepted)


async def _write(tx: AsyncSession, project_id: UUID, watch: TicketWatch, **values: object) -> None:
    of = (TicketWatch.project_id == project_id, TicketWatch.delivery_id == watch.delivery_id)
    await tx.execute(update(TicketWatch).where(*of).values(**values))
