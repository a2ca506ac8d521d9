"""Gives each message of another dialect its session, once: whoever brings the message again gets the same place.

Two requests about one visitor take their turns, so that they never open two sessions for one visit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from insights.events.attach import Loose, Span, attach, own_session
from insights.models import DialectMessage
from insights.vocabulary.ids import ms_to_datetime

REMEMBERED: Final = timedelta(days=30)
"""So long a copy of a message is sent to the place of the first one."""

STRIPES: Final = 256
"""Locks of visitors in a project: a batch about thousands of them must not fill the server's table of locks."""

_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(name, 5)) FROM unnest(CAST(:names AS text[])) AS name ORDER BY name"
)

# What is placed but not stored yet stands in dialect_message only; what browsers reported stands in session only.
_SPANS = text("""
WITH given AS (
    SELECT visitor_id, to_timestamp((first_ms - :gap) / 1000.0) AS low, to_timestamp((last_ms + :gap) / 1000.0) AS high
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(visitor_id uuid, first_ms bigint, last_ms bigint)
)
SELECT d.visitor_id, d.session_id, min(d.occurred_at), max(d.occurred_at), d.session_name
FROM given JOIN dialect_message d ON d.project_id = :project AND d.visitor_id = given.visitor_id
    AND d.occurred_at BETWEEN given.low AND given.high
GROUP BY d.visitor_id, d.session_id, d.session_name
UNION ALL
SELECT s.visitor_id, s.id, s.started_at, s.last_event_at, NULL
FROM given JOIN session s ON s.project_id = :project AND s.visitor_id = given.visitor_id
    AND s.started_at <= given.high AND s.last_event_at >= given.low
UNION ALL
SELECT d.visitor_id, d.session_id, min(d.occurred_at), max(d.occurred_at), d.session_name
FROM given JOIN dialect_message d ON d.project_id = :project AND d.visitor_id = given.visitor_id
    AND d.session_name = ANY(:names)
GROUP BY d.visitor_id, d.session_id, d.session_name
""")


async def place(
    tx: AsyncSession, project_id: UUID, messages: Sequence[Loose], *, gap_ms: int, received_ms: int
) -> dict[UUID, tuple[UUID, UUID]]:
    """Visitor and session of each message, by the message's id. Remembered once ``tx`` is committed."""
    places: dict[UUID, tuple[UUID, UUID]] = {}
    loose: list[Loose] = []
    for message in messages:
        named = own_session(message.session)
        if named is not None:
            places[message.id] = (message.visitor_id, named)
        else:
            loose.append(message)
    if not loose:
        return places
    names = {f"{project_id}/{message.visitor_id.int % STRIPES}" for message in loose}
    await tx.execute(_LOCK, {"names": sorted(names)})
    known = await tx.execute(
        select(DialectMessage.id, DialectMessage.visitor_id, DialectMessage.session_id).where(
            DialectMessage.project_id == project_id, DialectMessage.id.in_([message.id for message in loose])
        )
    )
    places |= {row[0]: (row[1], row[2]) for row in known}
    fresh = {message.id: message for message in loose if message.id not in places}
    if not fresh:
        return places
    sessions = attach(fresh.values(), await _spans(tx, project_id, list(fresh.values()), gap_ms), gap_ms)
    places |= {message.id: (message.visitor_id, sessions[message.id]) for message in fresh.values()}
    received_at = ms_to_datetime(received_ms)
    await tx.execute(
        insert(DialectMessage),
        [
            {
                "project_id": project_id,
                "id": message.id,
                "visitor_id": message.visitor_id,
                "session_id": sessions[message.id],
                "session_name": message.session,
                "occurred_at": ms_to_datetime(message.at_ms),
                "received_at": received_at,
            }
            for message in fresh.values()
        ],
    )
    return places


async def forget_old(tx: AsyncSession, project_id: UUID) -> None:
    """Forgets the places of messages that came so long ago that no sender tries again."""
    await tx.execute(
        delete(DialectMessage).where(
            DialectMessage.project_id == project_id, DialectMessage.received_at < func.now() - REMEMBERED
        )
    )


async def _spans(tx: AsyncSession, project_id: UUID, messages: Sequence[Loose], gap_ms: int) -> list[Span]:
    reach: dict[UUID, dict[str, Any]] = {}
    for message in messages:
        row = reach.setdefault(
            message.visitor_id,
            {"visitor_id": str(message.visitor_id), "first_ms": message.at_ms, "last_ms": message.at_ms},
        )
        row["first_ms"] = min(row["first_ms"], message.at_ms)
        row["last_ms"] = max(row["last_ms"], message.at_ms)
    rows = await tx.execute(
        _SPANS,
        {
            "project": project_id,
            "rows": json.dumps(list(reach.values())),
            "gap": gap_ms,
            "names": sorted({message.session for message in messages if message.session is not None}),
        },
    )
    return [Span(row[0], row[1], _ms(row[2]), _ms(row[3]), row[4]) for row in rows]


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
