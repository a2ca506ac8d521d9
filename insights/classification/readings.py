"""Reads sessions to be closed, with a mark that tells whether more has come since, and the insight that still stands.

Everything here happens inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.classification.outcome import outcome_hash, stage_reached
from insights.models import Insight, Session
from insights.timeline.assemble import summarise
from insights.timeline.read import count_events, read_timelines
from insights.timeline.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Reading:
    """A timeline, and the mark that tells whether more has come since it was read.

    ``standing``: the insight of a closed session that says all there is to say, whatever arrived late.
    """

    timeline: Timeline
    last_received_at: datetime
    standing: UUID | None = None


async def read_sessions(tx: AsyncSession, project_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Reading]:
    """The readings of those of ``session_ids`` that there are."""
    # First the mark, then the events: an event in between is seen by the comparison before writing.
    marks = await tx.execute(
        select(Session.id, Session.last_received_at, Session.closed_at).where(
            Session.project_id == project_id, Session.id.in_(session_ids)
        )
    )
    found = {row.id: row for row in marks}
    timelines = await read_timelines(tx, project_id, list(found))
    closed = [session_id for session_id, row in found.items() if row.closed_at is not None]
    standing = await _standing(tx, project_id, closed, timelines) if closed else {}
    return {
        session_id: Reading(timeline, found[session_id].last_received_at, standing.get(session_id))
        for session_id, timeline in timelines.items()
    }


async def _standing(
    tx: AsyncSession, project_id: UUID, session_ids: Sequence[UUID], timelines: Mapping[UUID, Timeline]
) -> dict[UUID, UUID]:
    """Session → its insight, where the outcome is still the one that it rests on."""
    current = await tx.execute(
        select(Insight.session_id, Insight.id, Insight.outcome_hash).where(
            Insight.project_id == project_id,
            Insight.session_id.in_(session_ids),
            Insight.superseded_at.is_(None),
            Insight.outcome_hash != "",
        )
    )
    return {
        row.session_id: row.id
        for row in current
        if (timeline := timelines.get(row.session_id)) is not None
        and timeline.events
        and row.outcome_hash == outcome_hash(timeline, stage_reached(summarise(timeline)))
    }


async def moved(tx: AsyncSession, project_id: UUID, readings: Mapping[UUID, Reading]) -> set[UUID]:
    """The sessions whose events are no longer those that were read. The caller holds their rows.

    The time of receipt alone is not enough: it has milliseconds, never goes back, and two processes may commit in
    another order than they received.
    """
    # A statement of its own, after the lock: a snapshot from before it would not see what the lock waited for.
    counts = await count_events(tx, project_id, list(readings))
    return {
        session_id
        for session_id, reading in readings.items()
        if counts.get(session_id, 0) != len(reading.timeline.events)
    }
