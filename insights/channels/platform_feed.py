"""Tells data platforms what was decided and what was understood: each decision and each insight as one track call.

A platform that is away is told later, from where it stopped; a message id makes what it hears twice harmless. Names of
the shop's own go along, addresses never.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.channels.contract import Accepted, Channel, SendIntent
from adapters.postgres.engine import Database
from flows.ports import Channels
from insights.models import ChannelSetup, PlatformFeed, Project

log = structlog.get_logger()

WORD: Final = "cdp"
LAG: Final = timedelta(seconds=30)
"""What is committed late must not be passed over: nothing younger is told."""
HELD: Final = timedelta(minutes=2)
MOST_AT_ONCE: Final = 100
MOST_CALLS: Final = 20

_READ: Final[Mapping[str, str]] = {
    "decision": """
SELECT d.decided_at AS at, d.id, d.visitor_id, v.user_id, d.session_id, jsonb_build_object(
    'action', d.action, 'stage', d.stage, 'policy', d.policy, 'why', d.why, 'held_back', d.held_back,
    'probability', d.probabilities->d.action, 'intent', d.intent) AS properties
FROM decision d LEFT JOIN visitor v ON v.project_id = d.project_id AND v.id = d.visitor_id
WHERE d.project_id = :project AND (d.decided_at, d.id) > (:at, :id) AND d.decided_at < :until
ORDER BY d.decided_at, d.id LIMIT :most
""",
    "insight": """
SELECT i.created_at AS at, i.id, i.visitor_id, v.user_id, i.session_id, jsonb_build_object(
    'kind', i.kind, 'reason', i.reason, 'confidence', i.confidence, 'narrative', i.narrative,
    'classifier', i.classifier) AS properties
FROM insight i LEFT JOIN visitor v ON v.project_id = i.project_id AND v.id = i.visitor_id
WHERE i.project_id = :project AND (i.created_at, i.id) > (:at, :id) AND i.created_at < :until
ORDER BY i.created_at, i.id LIMIT :most
""",
}
_NAMES: Final = {"decision": "Whyleft Decision", "insight": "Whyleft Insight"}


async def feed_platforms(database: Database, channels: Channels, now: datetime) -> int:
    """Tells every project's data platforms what is new; returns how many calls were taken as events."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    told = 0
    for project_id in projects:
        for channel, since in await _platforms(database, channels, project_id):
            for what in _READ:
                told += await _feed(database, project_id, channel, what, since, now)
    return told


async def _platforms(database: Database, channels: Channels, project_id: UUID) -> list[tuple[Channel, datetime]]:
    """The project's data platforms, each with when it was set up: it hears of what came after."""
    of = (ChannelSetup.project_id == project_id, ChannelSetup.word == WORD, ChannelSetup.enabled)
    async with database.transaction(project_id) as tx:
        rows = (await tx.execute(select(ChannelSetup.id, ChannelSetup.created_at).where(*of))).all()
        if not rows:
            return []
        ways = {channel.id: channel for channel in (await channels.of(tx, project_id)).values()}
    return [(ways[row.id], row.created_at) for row in rows if row.id in ways]


async def _feed(
    database: Database, project_id: UUID, channel: Channel, what: str, since: datetime, now: datetime
) -> int:
    held = await _hold(database, project_id, channel, what, since, now)
    told = 0
    for _ in range(MOST_CALLS if held is not None else 0):
        assert held is not None  # noqa: S101  (the loop does not run otherwise)
        given = {"project": project_id, "at": held[0], "id": held[1], "until": now - LAG, "most": MOST_AT_ONCE}
        async with database.transaction(project_id) as tx:
            rows = (await tx.execute(text(_READ[what]), given)).all()
        if not rows:
            break
        intent = SendIntent(f"{what}/{rows[-1].id}", None, {"events": [_event(what, row) for row in rows]})
        result = await channel.send(intent)
        if not isinstance(result, Accepted):
            log.warning("platform_not_told", what=what, events=len(rows), why=result.why)
            break
        held, told = (rows[-1].at, rows[-1].id), told + len(rows)
        await _move(database, project_id, channel, what, through_at=held[0], through_id=held[1])
        if len(rows) < MOST_AT_ONCE:
            break
    if held is not None:
        await _move(database, project_id, channel, what, held_until=now)
    return told


async def _hold(
    database: Database, project_id: UUID, channel: Channel, what: str, since: datetime, now: datetime
) -> tuple[datetime, UUID] | None:
    """Where to go on from, and nobody else does meanwhile; None while somebody does."""
    row = {"project_id": project_id, "channel_id": channel.id, "what": what}
    async with database.transaction(project_id) as tx:
        first = {**row, "through_at": since, "through_id": UUID(int=0), "held_until": now}
        await tx.execute(upsert(PlatformFeed).values(**first).on_conflict_do_nothing())
        found = await tx.execute(
            update(PlatformFeed)
            .where(*_of(project_id, channel, what), PlatformFeed.held_until <= now)
            .values(held_until=now + HELD)
            .returning(PlatformFeed.through_at, PlatformFeed.through_id)
        )
        held = found.one_or_none()
    return None if held is None else (held.through_at, held.through_id)


async def _move(database: Database, project_id: UUID, channel: Channel, what: str, **values: object) -> None:
    async with database.transaction(project_id) as tx:
        await tx.execute(update(PlatformFeed).where(*_of(project_id, channel, what)).values(**values))


def _of(project_id: UUID, channel: Channel, what: str) -> tuple[Any, ...]:
    return (
        PlatformFeed.project_id == project_id,
        PlatformFeed.channel_id == channel.id,
        PlatformFeed.what == what,
    )


def _event(what: str, row: Row[Any]) -> dict[str, Any]:
    return {
        "message_id": f"whyleft-{what}-{row.id}",
        "event": _NAMES[what],
        "properties": {"id": str(row.id), "session_id": str(row.session_id), **row.properties},
        "user_id": row.user_id or "",
        "anonymous_id": str(row.visitor_id),
        "at": row.at.isoformat(),
    }
