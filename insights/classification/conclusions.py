"""What was concluded about closed sessions, insights and what they trigger: many sessions in few statements.

Everything here happens inside the caller's transaction, which holds the rows of the sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Trigger
from flows.starting import start_runs
from flows.triggers import cancel_group
from insights.classification.classify import Classified
from insights.classification.outcome import outcome_hash, stage_reached
from insights.classification.readings import Reading
from insights.identity.together import hold_people
from insights.models import Insight
from insights.recovery.trigger import insight_trigger
from insights.segments.knowledge import VisitorKnowledge
from insights.timeline.assemble import Summary, summarise, timeline_hash
from insights.vocabulary.ids import uuid7

_INSERT = text("""
INSERT INTO insight (
    project_id, id, session_id, visitor_id, kind, reason, confidence, narrative, evidence, suggested_actions,
    classifier, fallback, timeline_hash, outcome_hash, calls, tokens_in, tokens_out, cost_micros, question_key, answer,
    created_at)
SELECT
    project_id, id, session_id, visitor_id, kind, reason, confidence, narrative, evidence, suggested_actions,
    classifier, fallback, timeline_hash, outcome_hash, calls, tokens_in, tokens_out, cost_micros, question_key, answer,
    :now
FROM json_to_recordset(:rows) AS new(
    project_id uuid, id uuid, session_id uuid, visitor_id uuid, kind text, reason text, confidence double precision,
    narrative text, evidence jsonb, suggested_actions jsonb, classifier text, fallback text, timeline_hash text,
    outcome_hash text, calls bigint, tokens_in bigint, tokens_out bigint, cost_micros bigint, question_key text,
    answer jsonb)
""")

_CONFIRM = text("""
UPDATE insight SET timeline_hash = new.timeline_hash
FROM json_to_recordset(:rows) AS new(id uuid, timeline_hash text)
WHERE insight.project_id = :project AND insight.id = new.id
""")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A reading, what a classifier says of it, and what follows from that: ready to be written."""

    reading: Reading
    summary: Summary
    insight: dict[str, Any]
    trigger: Trigger


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
        "outcome_hash": outcome_hash(timeline, stage_reached(summary), classified.cases, verdict),
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


async def confirm_insights(tx: AsyncSession, project_id: UUID, readings: Sequence[Reading]) -> None:
    """Notes which events the insights stand for that no late event changed."""
    rows = [{"id": reading.standing, "timeline_hash": timeline_hash(reading.timeline)} for reading in readings]
    if rows:
        await tx.execute(_CONFIRM, {"project": project_id, "rows": msgspec.json.encode(rows).decode()})


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
    rows_of_all = msgspec.json.encode([new.insight for new in news]).decode()
    await tx.execute(_INSERT, {"now": now, "rows": rows_of_all})
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
