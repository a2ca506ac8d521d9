"""Starts a run because somebody called: by hand, or from the shop's own software. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import ApiTrigger
from flows.errors import FlowError
from flows.models import CALLED, Flow, FlowRun
from flows.ports import Knowledge, Scene, Trigger
from flows.starting import definition_of, start_runs


class NotCallable(FlowError):
    """This flow is not one that a call starts; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a call: the run, unless the flow's condition is not true of the visitor. ``status`` is the run's;
    ``why``: the reason where it was over at once (reentry, converted, too_old), or the condition."""

    run_id: UUID | None
    status: str
    why: str | None


async def start_by_call(
    tx: AsyncSession,
    project_id: UUID,
    flow_id: UUID,
    visitor_id: UUID,
    *,
    key: str,
    data: Mapping[str, object],
    now: datetime,
    knowledge: Knowledge,
    scene: Scene,
    same_person: Mapping[UUID, Collection[UUID]],
) -> Called | None:
    """Starts the flow for a visitor; the same ``key`` again answers with the same run. None: there is no such flow.

    Raises NotCallable. The caller holds the visitor's locks. Messages find ``data`` under ``api`` among the facts.
    """
    flow = (
        await tx.execute(select(Flow).where(Flow.project_id == project_id, Flow.id == flow_id))
    ).scalar_one_or_none()
    if flow is None:
        return None
    if flow.version_id is None:
        raise NotCallable(f"The flow {flow.name!r} is not published, or paused: publish it first.")
    definition = await definition_of(tx, project_id, flow.version_id)
    if not isinstance(definition.trigger, ApiTrigger):
        raise NotCallable(
            f"The flow {flow.name!r} starts on {definition.trigger.on}, not on calls: "
            'publish one with {"on": "api"} for a trigger.'
        )
    name = f"call:{key}"
    trigger = Trigger("api", name, name, visitor_id, now, {CALLED: dict(data)})
    told = await scene.told(tx, project_id, trigger)
    await start_runs(tx, project_id, [told], now, knowledge, same_person=same_person, only=flow_id)
    run = (
        await tx.execute(
            select(FlowRun.id, FlowRun.status, FlowRun.end_reason).where(
                FlowRun.project_id == project_id, FlowRun.flow_id == flow_id, FlowRun.trigger_key == name
            )
        )
    ).one_or_none()
    if run is None:
        return Called(None, "not_started", "The condition of the flow's trigger is not true of this visitor.")
    return Called(run.id, run.status, run.end_reason)
