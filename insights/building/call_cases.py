"""Reads who would have come into a flow by calls of the API: those that were made of it are stored with their runs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Flow, FlowRun
from flows.ports import Trigger
from insights.building.rehearsed import Case
from insights.identity.together import visitors_together
from insights.models import Session

KIND = "api"


async def call_cases(
    tx: AsyncSession, project_id: UUID, flow_name: str, since: datetime, until: datetime, most: int
) -> list[Case]:
    """The latest calls of the flow of this name that started a run, or were refused one, with what they brought."""
    runs = (
        await tx.scalars(
            select(FlowRun)
            .join(Flow, (Flow.project_id == FlowRun.project_id) & (Flow.id == FlowRun.flow_id))
            .where(
                FlowRun.project_id == project_id,
                Flow.name == flow_name,
                FlowRun.trigger_key.startswith("call:"),
                FlowRun.triggered_at >= since,
                FlowRun.triggered_at < until,
            )
            .order_by(FlowRun.triggered_at.desc())
            .limit(most)
        )
    ).all()
    together = await visitors_together(tx, project_id, {run.visitor_id for run in runs})
    return [
        Case(
            Trigger(KIND, run.trigger_key, run.trigger_group, run.visitor_id, run.triggered_at, run.facts),
            run.triggered_at,
            together[run.visitor_id],
        )
        for run in runs
    ]


def called(visitor_id: UUID, at: datetime) -> Trigger:
    """What the engine makes of a call that brings nothing along."""
    key = f"call:preview:{visitor_id}"
    return Trigger(KIND, key, key, visitor_id, at, {"api": {}})


async def last_visitor(tx: AsyncSession, project_id: UUID, until: datetime) -> tuple[UUID, datetime] | None:
    """Who was there last before a moment, and when: somebody to show a call by."""
    row = (
        await tx.execute(
            select(Session.visitor_id, Session.last_event_at)
            .where(Session.project_id == project_id, Session.last_event_at < until)
            .order_by(Session.last_event_at.desc())
            .limit(1)
        )
    ).one_or_none()
    return (row.visitor_id, row.last_event_at) if row is not None else None
