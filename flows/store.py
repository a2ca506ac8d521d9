"""Publishes flows and reads runs: what the API and the viewer show."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from flows.conditions import Check, Condition, Fields, Op
from flows.definition import FlowDefinition, conditions_of, segments_of, validate
from flows.errors import FlowInvalid
from flows.models import Delivery, Flow, FlowRun, FlowVersion, RunEvent
from flows.watching import listen


@dataclass(frozen=True, slots=True)
class RunLine:
    """One line of a run's history."""

    at: datetime
    step: str | None
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One message of a run and what became of it."""

    id: UUID
    step: str
    action: str
    channel: str
    recipient: str | None
    status: str
    error: str | None
    created_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunView:
    """One run with its history and deliveries, oldest first."""

    id: UUID
    flow: str
    version: int
    status: str
    step: str
    due_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    history: list[RunLine]
    deliveries: list[DeliveryView]


async def publish(
    tx: AsyncSession,
    project_id: UUID,
    definition: FlowDefinition,
    now: datetime,
    actions: Collection[str],
    fields: Fields,
) -> FlowVersion:
    """The version that new runs get from now on; the same definition again makes no new one. Raises FlowInvalid."""
    if faults := validate(definition, actions, fields):
        raise FlowInvalid(faults)
    # Two publishers of one name: the second sees what the first did.
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{project_id}/{definition.name}", 2))))
    flow = (
        await tx.execute(select(Flow).where(Flow.project_id == project_id, Flow.name == definition.name))
    ).scalar_one_or_none()
    if flow is None:
        flow = Flow(project_id=project_id, id=uuid4(), name=definition.name, created_at=now)
        tx.add(flow)
    latest = (
        await tx.execute(
            select(FlowVersion)
            .where(FlowVersion.project_id == project_id, FlowVersion.flow_id == flow.id)
            .order_by(FlowVersion.number.desc())
            .limit(1)
        )
    ).scalar_one_or_none()
    body = definition.model_dump(mode="json", by_alias=True)
    if latest is None or FlowDefinition.model_validate(latest.definition) != definition:
        number = 1 if latest is None else latest.number + 1
        latest = FlowVersion(
            project_id=project_id, id=uuid4(), flow_id=flow.id, number=number, definition=body, published_at=now
        )
        tx.add(latest)
    flow.version_id = latest.id
    await tx.flush()
    await listen(tx, project_id, now)
    return latest


async def conditions_of_flows(tx: AsyncSession, project_id: UUID) -> dict[str, list[Condition]]:
    """The conditions of each published flow, by its name. A segment that it names elsewhere is one as well."""
    rows = await tx.execute(
        select(Flow.name, FlowVersion.definition)
        .join(FlowVersion, (FlowVersion.project_id == Flow.project_id) & (FlowVersion.id == Flow.version_id))
        .where(Flow.project_id == project_id)
    )
    found: dict[str, list[Condition]] = {}
    for name, body in rows:
        flow = FlowDefinition.model_validate(body)
        segments = [Check("visitor.segments", Op.HAS, segment) for segment in segments_of(flow).values()]
        found[name] = [*conditions_of(flow).values(), *segments]
    return found


async def list_runs(
    tx: AsyncSession,
    project_id: UUID,
    *,
    session_group: str | None = None,
    visitor_id: UUID | None = None,
    flow_id: UUID | None = None,
    run_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[RunView]:
    """The latest runs of a trigger group, a visitor, a flow (or of all), or one, with history and deliveries.
    ``before``: those behind the run with this time of start and id."""
    wanted = [FlowRun.project_id == project_id, FlowRun.flow_id == Flow.id]
    if session_group is not None:
        wanted.append(FlowRun.trigger_group == session_group)
    if visitor_id is not None:
        wanted.append(FlowRun.visitor_id == visitor_id)
    if run_id is not None:
        wanted.append(FlowRun.id == run_id)
    if before is not None:
        wanted.append(tuple_(FlowRun.started_at, FlowRun.id) < before)
    # The latest of each flow, then of all: one index serves them, and a flow that rested for a year is found as soon.
    newest_first = FlowRun.started_at.desc(), FlowRun.id.desc()
    run = aliased(FlowRun, select(FlowRun).where(*wanted).order_by(*newest_first).limit(limit).lateral())
    query = (
        select(run, Flow.name, FlowVersion.number)
        .select_from(Flow)
        .join(run, true())
        .join(FlowVersion, (FlowVersion.project_id == Flow.project_id) & (FlowVersion.id == run.version_id))
        .where(Flow.project_id == project_id)
        .order_by(run.started_at.desc(), run.id.desc())
        .limit(limit)
    )
    if flow_id is not None:
        query = query.where(Flow.id == flow_id)
    found = (await tx.execute(query)).all()
    run_ids = [run.id for run, _, _ in found]
    history = await _histories(tx, project_id, run_ids)
    deliveries = await _deliveries(tx, project_id, run_ids)
    return [
        RunView(
            run.id,
            name,
            number,
            run.status,
            run.step,
            run.due_at,
            run.started_at,
            run.ended_at,
            run.end_reason,
            history.get(run.id, []),
            deliveries.get(run.id, []),
        )
        for run, name, number in found
    ]


async def _histories(tx: AsyncSession, project_id: UUID, run_ids: Collection[UUID]) -> dict[UUID, list[RunLine]]:
    found: dict[UUID, list[RunLine]] = {}
    for event in await tx.scalars(
        select(RunEvent).where(RunEvent.project_id == project_id, RunEvent.run_id.in_(run_ids)).order_by(RunEvent.id)
    ):
        found.setdefault(event.run_id, []).append(RunLine(event.at, event.step, event.what, event.detail))
    return found


async def _deliveries(tx: AsyncSession, project_id: UUID, run_ids: Collection[UUID]) -> dict[UUID, list[DeliveryView]]:
    found: dict[UUID, list[DeliveryView]] = {}
    for row in await tx.scalars(
        select(Delivery)
        .where(Delivery.project_id == project_id, Delivery.run_id.in_(run_ids))
        .order_by(Delivery.created_at)
    ):
        found.setdefault(row.run_id, []).append(
            DeliveryView(
                row.id,
                row.step,
                row.action,
                row.channel,
                row.recipient,
                row.status,
                row.error,
                row.created_at,
                row.decided_at,
            )
        )
    return found
