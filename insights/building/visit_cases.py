"""Reads who would have come into a flow by visits that were explained, or by events that arrived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import EventTrigger, InsightTrigger
from flows.matching import matches
from flows.ports import ORDER_GROUP, Trigger
from insights.building.rehearsed import Case
from insights.identity.together import visitors_together
from insights.models import Event, Insight, Session
from insights.recovery.scene import VisitScene
from insights.recovery.trigger import insight_trigger
from insights.timeline.read import read_timelines
from insights.vocabulary.ids import first_uuid_of_day

LONGEST_VISIT: Final = timedelta(days=1)


async def insight_cases(
    tx: AsyncSession, project_id: UUID, rule: InsightTrigger, since: datetime, until: datetime, most: int
) -> list[Case]:
    query = (
        select(Insight, Session.closed_at)
        .join(Session, (Session.project_id == Insight.project_id) & (Session.id == Insight.session_id))
        .where(
            Insight.project_id == project_id,
            Insight.superseded_at.is_(None),
            Session.closed_at >= since,
            Session.closed_at < until,
            Insight.confidence >= rule.min_confidence,
        )
        .order_by(Session.closed_at.desc())
        .limit(most)
    )
    if rule.kind is not None:
        query = query.where(Insight.kind == rule.kind)
    if rule.reasons:
        query = query.where(Insight.reason.in_(rule.reasons))
    rows = (await tx.execute(query)).all()
    timelines = await read_timelines(tx, project_id, [insight.session_id for insight, _ in rows])
    together = await visitors_together(tx, project_id, {timeline.visitor_id for timeline in timelines.values()})
    return [
        Case(
            insight_trigger(
                timeline,
                insight_id=insight.id,
                kind=insight.kind,
                reason=insight.reason,
                confidence=insight.confidence,
                narrative=insight.narrative,
            ),
            closed_at,
            together[timeline.visitor_id],
            insight.session_id,
        )
        for insight, closed_at in rows
        if closed_at is not None and (timeline := timelines.get(insight.session_id)) is not None and timeline.events
    ]


async def event_cases(
    tx: AsyncSession, project_id: UUID, rule: EventTrigger, since: datetime, until: datetime, most: int
) -> list[Case]:
    rows = (
        await tx.execute(
            select(Event)
            .where(
                Event.project_id == project_id,
                Event.type == rule.event,
                Event.session_id >= first_uuid_of_day((since - LONGEST_VISIT).date()),
                Event.received_at >= since,
                Event.received_at < until,
            )
            .order_by(Event.received_at.desc())
            .limit(most)
        )
    ).scalars()
    events = list(rows)
    together = await visitors_together(tx, project_id, {event.visitor_id for event in events})
    return [
        Case(
            await VisitScene().told(tx, project_id, _trigger_of(event)),
            event.received_at,
            together[event.visitor_id],
            event.session_id,
        )
        for event in events
    ]


async def event_of_session(
    tx: AsyncSession, project_id: UUID, rule: EventTrigger, session_id: UUID
) -> tuple[Trigger, datetime] | None:
    """The first event of a visit that a flow asks for, conditions aside, and when it arrived."""
    events: Sequence[Event] = (
        await tx.scalars(
            select(Event)
            .where(Event.project_id == project_id, Event.session_id == session_id, Event.type == rule.event)
            .order_by(Event.occurred_at, Event.id)
        )
    ).all()
    for event in events:
        trigger = _trigger_of(event)
        if matches(rule, trigger):
            return await VisitScene().told(tx, project_id, trigger), event.received_at
    return None


def _trigger_of(event: Event) -> Trigger:
    facts = {
        "id": str(event.id),
        "type": event.type,
        "props": event.props,
        "url": event.url,
        "path": urlsplit(event.url or "").path or None,
        "session_id": str(event.session_id),
    }
    key = f"event:{event.id}"
    group = f"{ORDER_GROUP}{event.props['order_id']}" if event.type == "purchased" else key
    return Trigger("event", key, group, event.visitor_id, event.occurred_at, {"event": facts})
