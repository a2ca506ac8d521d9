"""What was going on when something started a flow: the visit, the cart, what was looked at, the worst error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import NOBODY, Trigger
from insights.models import Session
from insights.recovery.trigger import visit_facts
from insights.timeline.read import read_timelines


class VisitScene:
    """Tells of the visit that an event belongs to, and of the visitor's latest one where a trigger names none."""

    async def told(self, tx: AsyncSession, project_id: UUID, trigger: Trigger) -> Trigger:
        if trigger.visitor_id == NOBODY or "session" in trigger.facts:
            return trigger
        session_id = _session_of(trigger) or await _latest(tx, project_id, trigger.visitor_id)
        timelines = await read_timelines(tx, project_id, [session_id] if session_id is not None else [])
        timeline = next(iter(timelines.values()), None)
        if timeline is None or not timeline.events:
            return trigger
        return replace(trigger, facts={**visit_facts(timeline), **trigger.facts})


def _session_of(trigger: Trigger) -> UUID | None:
    event = trigger.facts.get("event")
    named = event.get("session_id") if isinstance(event, Mapping) else None
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None


async def _latest(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> UUID | None:
    found: UUID | None = await tx.scalar(
        select(Session.id)
        .where(Session.project_id == project_id, Session.visitor_id == visitor_id)
        .order_by(Session.id.desc())
        .limit(1)
    )
    return found
