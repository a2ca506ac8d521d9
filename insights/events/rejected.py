"""The events that could not be accepted: lists them, and tries them again once the cause is mended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select, update

from adapters.postgres.engine import Database
from insights.events.dialects.translation import Envelope
from insights.events.reception import Message, Reception
from insights.events.record import Entry, Recorder
from insights.events.wire import Limits, read_again
from insights.models import RejectedEvent


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one rejected event: ``error`` is None when it is stored now."""

    id: UUID
    error: str | None


async def list_rejected(database: Database, project_id: UUID, limit: int) -> list[RejectedEvent]:
    """The latest ``limit`` rejected events that still wait for a replay, newest first."""
    async with database.transaction(project_id) as tx:
        rows = await tx.execute(
            select(RejectedEvent)
            .where(RejectedEvent.project_id == project_id, RejectedEvent.replayed_at.is_(None))
            .order_by(RejectedEvent.received_at.desc(), RejectedEvent.id.desc())
            .limit(limit)
        )
        return list(rows.scalars())


async def replay_rejected(
    database: Database, recorder: Recorder, reception: Reception, project_id: UUID, limits: Limits
) -> AsyncIterator[Replayed]:
    """Tries every waiting rejected event again, oldest first, and says of each what became of it.

    Replaying twice stores nothing twice: the event keeps its id.
    """
    last = UUID(int=0)
    while True:
        async with database.transaction(project_id) as tx:
            rows = await tx.execute(
                select(RejectedEvent)
                .where(
                    RejectedEvent.project_id == project_id,
                    RejectedEvent.replayed_at.is_(None),
                    RejectedEvent.id > last,
                )
                .order_by(RejectedEvent.id)
                .limit(500)
            )
            waiting = list(rows.scalars())
        if not waiting:
            return
        last = waiting[-1].id
        for row in waiting:
            yield await _replay_one(database, recorder, reception, row, limits)


async def _replay_one(
    database: Database, recorder: Recorder, reception: Reception, row: RejectedEvent, limits: Limits
) -> Replayed:
    if "dialect" in row.envelope:
        error = await _message_again(reception, row)
    else:
        error = await _event_again(recorder, row, limits)
    changes: dict[str, object] = {"replayed_at": datetime.now(UTC)} if error is None else {"error": error}
    async with database.transaction(row.project_id) as tx:
        await tx.execute(
            update(RejectedEvent)
            .where(RejectedEvent.project_id == row.project_id, RejectedEvent.id == row.id)
            .values(**changes)
        )
    return Replayed(row.id, error)


async def _event_again(recorder: Recorder, row: RejectedEvent, limits: Limits) -> str | None:
    received_ms = int(row.received_at.timestamp() * 1000)
    envelope = row.envelope
    event = read_again(row.raw, limits, envelope["skew_ms"], received_ms)
    if isinstance(event, str):
        return event
    await recorder.record(
        Entry(
            project_id=row.project_id,
            visitor_id=UUID(envelope["visitor"]),
            session_id=UUID(envelope["session"]),
            tab=envelope["tab"],
            page_url=envelope["page_url"],
            received_ms=received_ms,
            events=[event],
        )
    )
    return None


async def _message_again(reception: Reception, row: RejectedEvent) -> str | None:
    around = dict(row.envelope)
    dialect = around.pop("dialect")
    message = Message(json.loads(row.raw), Envelope(**around))
    taken = await reception.take(row.project_id, dialect, [message], keep_refused=False)
    return taken.refused[0].error if taken.refused else None
