"""Writes what was concluded about closed sessions: summary, insight and trigger, for many sessions in few statements.

Everything here happens inside the caller's transaction, which holds the rows of the sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Trigger
from flows.starting import start_runs
from flows.triggers import cancel_group
from insights.classification.classify import Classified
from insights.classification.outcome import outcome_hash, stage_reached
from insights.identity.together import hold_people, visitors_together
from insights.models import Insight, Session
from insights.recovery.trigger import insight_trigger
from insights.segments.knowledge import VisitorKnowledge
from insights.timeline.assemble import Summary, summarise, timeline_hash
from insights.timeline.read import count_events, read_timelines
from insights.timeline.timeline import Timeline
from insights.vocabulary.ids import uuid7

_CLOSE = text("""
UPDATE session SET
    lease_until = NULL, closed_at = CASE WHEN new.stands THEN closed_at ELSE :now END, close_at = NULL,
    close_reason = new.close_reason,
    started_at = new.started_at, last_event_at = new.last_event_at, event_count = new.event_count,
    landing_path = new.landing_path, exit_path = new.exit_path,
    paths = ARRAY(SELECT json_array_elements_text(new.paths)), purchased = new.purchased,
    cart_value_minor = new.cart_value_minor, currency = new.currency, source = new.source, client = new.client,
    stage = new.stage, product = new.product,
    kind = COALESCE(new.kind, session.kind), reason = COALESCE(new.reason, session.reason)
FROM json_to_recordset(:rows) AS new(
    id uuid, close_reason text, started_at timestamptz, last_event_at timestamptz, event_count integer,
    landing_path text, exit_path text, paths json, purchased boolean, cart_value_minor bigint, currency text,
    source jsonb, client jsonb, stage text, product text, stands boolean, kind text,
    reason text)
WHERE session.project_id = :project AND session.id = new.id
""")

_CONFIRM = text("""
UPDATE insight SET timeline_hash = new.timeline_hash
FROM json_to_recordset(:rows) AS new(id uuid, timeline_hash text)
WHERE insight.project_id = :project AND insight.id = new.id
""")

# A row that a flush holds is looked at again anyway: the flush says so.
_LATER = text("""
WITH later AS (
    SELECT session.id
    FROM unnest(CAST(:sessions AS uuid[]), CAST(:visitors AS uuid[])) AS own(session_id, visitor_id)
    JOIN session ON session.project_id = :project AND session.visitor_id = own.visitor_id
        AND session.id > own.session_id
    WHERE session.closed_at IS NOT NULL AND session.close_at IS NULL
    FOR UPDATE OF session SKIP LOCKED
)
UPDATE session SET close_at = :now FROM later WHERE session.project_id = :project AND session.id = later.id
""")


@dataclass(frozen=True, slots=True)
class Reading:
    """A timeline, and the mark that tells whether more has come since it was read.

    ``standing``: the insight of a closed session that says all there is to say, whatever arrived late.
    """

    timeline: Timeline
    last_received_at: datetime
    standing: UUID | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A reading, what a classifier says of it, and what follows from that: ready to be written."""

    reading: Reading
    summary: Summary
    insight: dict[str, Any]
    trigger: Trigger


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


def conclude(reading: Reading, classified: Classified) -> Conclusion:
    """What follows from a verdict on a timeline that has at least one event. Pure, but for the insight's new id."""
    timeline, verdict = reading.timeline, classified.verdict
    summary = summarise(timeline)
    insight_id = uuid7()
    insight = {
        "project_id": timeline.project_id,
        "id": insight_id,
        "session_id": timeline.session_id,
        "visitor_id": timeline.visitor_id,
        "kind": verdict.kind.value,
        "reason": verdict.reason.value,
        "confidence": verdict.confidence,
        "narrative": verdict.narrative,
        "evidence": [str(identifier) for identifier in verdict.evidence],
        "suggested_actions": [{"action": s.action.value, "params": s.params} for s in verdict.suggested_actions],
        "classifier": classified.classifier,
        "fallback": classified.fallback,
        "timeline_hash": timeline_hash(timeline),
        "outcome_hash": outcome_hash(timeline, stage_reached(summary), classified.cases),
        "calls": classified.usage.calls,
        "tokens_in": classified.usage.tokens_in,
        "tokens_out": classified.usage.tokens_out,
        "cost_micros": classified.cost_micros,
        "question_key": classified.key,
        "answer": classified.answer,
    }
    trigger = insight_trigger(
        timeline,
        insight_id=insight_id,
        kind=verdict.kind.value,
        reason=verdict.reason.value,
        confidence=verdict.confidence,
        narrative=verdict.narrative,
    )
    return Conclusion(reading, summary, insight, trigger)


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


async def close_sessions(
    tx: AsyncSession,
    project_id: UUID,
    reasons: Mapping[UUID, str],
    readings: Mapping[UUID, Reading],
    conclusions: Mapping[UUID, Conclusion],
    now: datetime,
) -> None:
    """Closes sessions, each for its reason, with the summary of its events; without any, as they were.

    Where there is no conclusion because an insight stands, the session stays closed as it was, with a new summary;
    what a conclusion came to is noted in its row.
    """
    rows = []
    for session_id, reason in reasons.items():
        timeline = readings[session_id].timeline
        if timeline.events:
            known = conclusions.get(session_id)
            columns = _columns(summarise(timeline) if known is None else known.summary)
            said = {} if known is None else {name: known.insight[name] for name in ("kind", "reason")}
            rows.append({"id": session_id, "close_reason": reason, "stands": known is None, **columns, **said})
    if rows:
        await tx.execute(_CLOSE, {"project": project_id, "now": now, "rows": msgspec.json.encode(rows).decode()})
    for session_id in [session_id for session_id in reasons if not readings[session_id].timeline.events]:
        await tx.execute(
            update(Session)
            .where(Session.project_id == project_id, Session.id == session_id)
            .values(
                lease_until=None,
                closed_at=func.coalesce(Session.closed_at, now),
                close_at=None,
                close_reason=reasons[session_id],
            )
        )


async def confirm_insights(tx: AsyncSession, project_id: UUID, readings: Sequence[Reading]) -> None:
    """Notes which events the insights stand for that no late event changed."""
    rows = [{"id": reading.standing, "timeline_hash": timeline_hash(reading.timeline)} for reading in readings]
    if rows:
        await tx.execute(_CONFIRM, {"project": project_id, "rows": msgspec.json.encode(rows).decode()})


async def look_again_at_later(tx: AsyncSession, project_id: UUID, sessions: Mapping[UUID, UUID], now: datetime) -> None:
    """Has later sessions of the same people looked at again, where they were closed before these (session → visitor):
    to them these are earlier visits, perhaps with an order, that they may not have known of."""
    together = await visitors_together(tx, project_id, set(sessions.values()))
    own = [(session_id, other) for session_id, visitor in sessions.items() for other in together[visitor]]
    if own:
        ids, visitors = [one for one, _ in own], [other for _, other in own]
        await tx.execute(_LATER, {"project": project_id, "sessions": ids, "visitors": visitors, "now": now})


async def write_insights(
    tx: AsyncSession,
    project_id: UUID,
    conclusions: Sequence[Conclusion],
    now: datetime,
    *,
    again: bool = False,
    act: bool = True,
) -> list[Conclusion]:
    """Writes insights and what they trigger; returns the conclusions that were new.

    ``again``: someone asked for it, so a new row is written even where nothing new can be said. ``act`` False: it is
    about the past, and no flow starts.
    """
    rows = await tx.execute(
        select(Insight.session_id, Insight.id, Insight.reason, Insight.timeline_hash, Insight.classifier).where(
            Insight.project_id == project_id,
            Insight.session_id.in_([conclusion.insight["session_id"] for conclusion in conclusions]),
            Insight.superseded_at.is_(None),
        )
    )
    current = {row.session_id: row for row in rows}
    news: list[Conclusion] = []
    for conclusion in conclusions:
        known = current.get(conclusion.insight["session_id"])
        same = known is not None and (known.timeline_hash, known.classifier) == (
            conclusion.insight["timeline_hash"],
            conclusion.insight["classifier"],
        )
        if again or not same:
            news.append(conclusion)
    if not news:
        return []
    people = await hold_people(tx, project_id, {new.trigger.visitor_id for new in news})
    await _supersede(tx, project_id, [(current.get(new.insight["session_id"]), new) for new in news], now)
    await tx.execute(insert(Insight), [new.insight | {"created_at": now} for new in news])
    if act:
        triggers = [new.trigger for new in news]
        await start_runs(tx, project_id, triggers, now, VisitorKnowledge(), same_person=people)
    return news


async def _supersede(
    tx: AsyncSession, project_id: UUID, pairs: Sequence[tuple[Any, Conclusion]], now: datetime
) -> None:
    """Makes history of the current insights, and ends the runs of those that gave another reason."""
    replaced = [known.id for known, _ in pairs if known is not None]
    if not replaced:
        return
    await tx.execute(
        update(Insight).where(Insight.project_id == project_id, Insight.id.in_(replaced)).values(superseded_at=now)
    )
    for known, new in pairs:
        if known is not None and known.reason != new.insight["reason"]:
            why = f"superseded: the reason is {new.insight['reason']} now"
            await cancel_group(tx, project_id, new.trigger.group, why, now)


def _columns(summary: Summary) -> dict[str, Any]:
    return {
        "started_at": summary.started_at,
        "last_event_at": summary.last_event_at,
        "event_count": summary.event_count,
        "landing_path": summary.landing_path,
        "exit_path": summary.exit_path,
        "paths": summary.paths,
        "purchased": summary.purchased,
        "cart_value_minor": summary.cart_value_minor,
        "currency": summary.currency,
        "product": summary.product,
        "source": summary.source,
        "client": summary.client,
        "stage": stage_reached(summary).value,
    }
