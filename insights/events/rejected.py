"""The events that could not be accepted: lists them, and tries them again once the cause is mended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select, update

from adapters.postgres.engine import Database
from insights.errors import NotFound, Refused
from insights.events.dialects.translation import Envelope
from insights.events.entry import Entry
from insights.events.kept import kept_json
from insights.events.reading import read_again
from insights.events.reception import Message, Reception
from insights.events.record import Recorder
from insights.events.signed_names import NAMED_VISITOR, is_claimed, prove_events
from insights.events.storable import unstorable
from insights.events.wire import SERVERS_ONLY, Limits
from insights.identity.proof import ANY_CLAIM
from insights.models import RejectedEvent
from insights.vocabulary.events import AFTERWARDS


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one rejected event: ``error`` is None when it is stored now."""

    id: UUID
    error: str | None


async def list_rejected(
    database: Database, project_id: UUID, limit: int, before: UUID | None = None
) -> list[RejectedEvent]:
    """The latest ``limit`` rejected events that still wait for a replay, newest first; those older than ``before``."""
    older = [RejectedEvent.id < before] if before is not None else []
    async with database.transaction(project_id) as tx:
        rows = await tx.execute(
            select(RejectedEvent)
            .where(RejectedEvent.project_id == project_id, RejectedEvent.replayed_at.is_(None), *older)
            .order_by(RejectedEvent.id.desc())
            .limit(limit)
        )
        return list(rows.scalars())


async def replay_rejected(
    database: Database, recorder: Recorder, reception: Reception, project_id: UUID, limits: Limits
) -> AsyncIterator[Replayed]:
    """Tries every waiting rejected event again, oldest first, and says of each what became of it.

    Replaying twice stores nothing twice: the event keeps its id. What only a server may say is refused again where a
    page's key said it: somebody must vouch for it one by one.
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


async def replay_one(
    database: Database,
    recorder: Recorder,
    reception: Reception,
    project_id: UUID,
    rejected_id: UUID,
    limits: Limits,
    corrected: object = None,
) -> Replayed:
    """Tries one again, in the words of ``corrected`` if given. Whoever asks for one vouches for it.

    What was replayed before is left alone. Raises NotFound, Refused.
    """
    async with database.transaction(project_id) as tx:
        row = await tx.get(RejectedEvent, (project_id, rejected_id))
    if row is None:
        raise NotFound(f"There is no rejected event {rejected_id} in this project.")
    if row.replayed_at is not None:
        return Replayed(row.id, None)
    if corrected is not None:
        if (reason := unstorable(corrected)) is not None:
            raise Refused(f"{reason}.", field="event")
        row.raw = kept_json(json.dumps(corrected)).encode()
    return await _replay_one(database, recorder, reception, row, limits, vouched=True)


async def _replay_one(
    database: Database,
    recorder: Recorder,
    reception: Reception,
    row: RejectedEvent,
    limits: Limits,
    *,
    vouched: bool = False,
) -> Replayed:
    if "dialect" in row.envelope:
        error = await _message_again(reception, row, vouched)
    else:
        error = await _event_again(recorder, row, limits, vouched)
    changes: dict[str, object] = {"replayed_at": datetime.now(UTC)} if error is None else {"error": error}
    async with database.transaction(row.project_id) as tx:
        await tx.execute(
            update(RejectedEvent)
            .where(RejectedEvent.project_id == row.project_id, RejectedEvent.id == row.id)
            .values(**changes, raw=row.raw)
        )
    return Replayed(row.id, error)


async def _event_again(recorder: Recorder, row: RejectedEvent, limits: Limits, vouched: bool) -> str | None:
    received_ms = int(row.received_at.timestamp() * 1000)
    envelope = row.envelope
    event = read_again(row.raw, limits, envelope["skew_ms"], received_ms)
    if isinstance(event, str):
        return event
    if event.type in AFTERWARDS and not vouched:
        return SERVERS_ONLY
    visitor_id = UUID(envelope["visitor"])
    proof = ANY_CLAIM if vouched else (await recorder.kept(row.project_id)).proof
    if is_claimed(visitor_id, proof):
        return NAMED_VISITOR
    prove_events([event], proof)
    await recorder.record(
        Entry(
            project_id=row.project_id,
            visitor_id=visitor_id,
            session_id=UUID(envelope["session"]),
            tab=envelope["tab"],
            page_url=envelope["page_url"],
            received_ms=received_ms,
            events=[event],
            by_server=vouched,
        )
    )
    return None


async def _message_again(reception: Reception, row: RejectedEvent, vouched: bool) -> str | None:
    around = dict(row.envelope)
    dialect = around.pop("dialect")
    envelope = Envelope(**around)
    if vouched:
        envelope = replace(envelope, trusted=True)
    message = Message(json.loads(row.raw), envelope)
    taken = await reception.take(row.project_id, dialect, [message], keep_refused=False)
    return taken.refused[0].error if taken.refused else None
