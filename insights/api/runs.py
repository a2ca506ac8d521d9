"""Runs over HTTP: started by a call, listed, looked at, cancelled; dead ones put back to work; what was sent, and what
nobody can say of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Header, Query
from sqlalchemy import select, tuple_

from flows import dead_letters, store
from flows.calls import NotCallable, start_by_call
from flows.models import Delivery, FlowRun
from flows.triggers import UNFINISHED, end_runs, lock_visitor
from insights.access.keys import ResolvedKey
from insights.api.caller import SecretCaller
from insights.api.paging import Cursor, page_end
from insights.api.run_shapes import (
    Cancelled,
    DeadList,
    DeadOut,
    DeliveryLine,
    DeliveryList,
    Replayed,
    RunList,
    RunOut,
    StartIn,
    StartOut,
)
from insights.api.services import FromRequest
from insights.api.whole_names import as_seen_by, line_shown_to
from insights.errors import Conflict, NotFound
from insights.identity.together import hold_people
from insights.models import Visitor
from insights.recovery.scene import VisitScene
from insights.segments.knowledge import VisitorKnowledge
from insights.vocabulary.page_end import PageEnd
from insights.vocabulary.session_group import session_group

router = APIRouter(prefix="/v1", tags=["runs"])

BY_HAND = "cancelled by hand"
"""The note of who did it goes by these words (the trigger on ``flow_run``)."""


Limit = Annotated[int, Query(ge=1, le=200)]
DeliveryStatus = Literal["intent", "retry", "accepted", "rejected", "suppressed", "unknown"]


@router.post("/flows/{flow_id}/start", response_model=StartOut)
async def start(
    flow_id: UUID,
    body: StartIn,
    caller: SecretCaller,
    services: FromRequest,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> StartOut:
    """Starts a flow whose trigger is ``{"on": "api"}`` for one visitor. With an Idempotency-Key, the same call again
    answers with the same run."""
    now = datetime.now(UTC)
    async with services.database.transaction(caller.project_id) as tx:
        if await tx.get(Visitor, (caller.project_id, body.visitor)) is None:
            raise NotFound(f"There is no visitor {body.visitor} in this project.")
        people = await hold_people(tx, caller.project_id, [body.visitor])
        data: dict[str, Any] = dict(body.data)
        try:
            called = await start_by_call(
                tx,
                caller.project_id,
                flow_id,
                body.visitor,
                key=idempotency_key or str(uuid4()),
                data=data,
                now=now,
                knowledge=VisitorKnowledge(),
                scene=VisitScene(),
                same_person=people,
            )
        except NotCallable as error:
            raise Conflict(str(error)) from None
    if called is None:
        raise NotFound(f"There is no flow {flow_id} in this project.")
    return StartOut(run=called.run_id, status=called.status, why=called.why)


@router.get("/runs", response_model=RunList)
async def list_runs(
    caller: SecretCaller,
    services: FromRequest,
    session: Annotated[UUID | None, Query(description="Only runs that this session started.")] = None,
    visitor: Annotated[UUID | None, Query(description="Only runs of this visitor.")] = None,
    flow: Annotated[UUID | None, Query(description="Only runs of this flow.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RunList:
    """The latest runs, each with its history and deliveries."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await store.list_runs(
            tx,
            caller.project_id,
            session_group=session_group(session) if session else None,
            visitor_id=visitor,
            flow_id=flow,
            before=page_end(cursor),
            limit=limit,
        )
    last = found[-1] if len(found) == limit else None
    return RunList(
        runs=[_run(run, caller) for run in found],
        next=str(PageEnd(last.started_at, last.id)) if last is not None else None,
    )


@router.get("/runs/dead", response_model=DeadList)
async def list_dead(
    caller: SecretCaller,
    services: FromRequest,
    flow: Annotated[UUID | None, Query(description="Only runs of this flow.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeadList:
    """The runs that were put aside, each with the reason; ``POST …/replay`` puts them back to work."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await dead_letters.dead_runs(tx, caller.project_id, flow_id=flow, before=page_end(cursor), limit=limit)
    last = found[-1] if len(found) == limit else None
    return DeadList(
        runs=[DeadOut.model_validate(one, from_attributes=True) for one in found],
        next=str(PageEnd(last.died_at, last.id)) if last is not None else None,
    )


@router.post("/runs/dead/replay", response_model=Replayed)
async def replay_all(
    caller: SecretCaller,
    services: FromRequest,
    flow: Annotated[UUID | None, Query(description="Only runs of this flow.")] = None,
) -> Replayed:
    """Puts dead runs back to work, a thousand at most at once. What has become too late meanwhile is skipped."""
    async with services.database.transaction(caller.project_id) as tx:
        return Replayed(runs=await dead_letters.replay(tx, caller.project_id, datetime.now(UTC), flow_id=flow))


@router.get("/runs/{run_id}", response_model=RunOut)
async def get_run(run_id: UUID, caller: SecretCaller, services: FromRequest) -> RunOut:
    """One run with its history and deliveries."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await store.list_runs(tx, caller.project_id, run_id=run_id, limit=1)
    if not found:
        raise _no_run(run_id)
    return _run(found[0], caller)


@router.post("/runs/{run_id}/replay", response_model=Replayed)
async def replay(run_id: UUID, caller: SecretCaller, services: FromRequest) -> Replayed:
    """Puts one dead run back to work where it stood."""
    async with services.database.transaction(caller.project_id) as tx:
        run = await tx.get(FlowRun, (caller.project_id, run_id))
        if run is None:
            raise _no_run(run_id)
        if run.status != "dead":
            raise Conflict(f"This run is {run.status}; only dead ones are put back to work.")
        return Replayed(runs=await dead_letters.replay(tx, caller.project_id, datetime.now(UTC), run_id=run_id))


@router.post("/runs/{run_id}/cancel", response_model=Cancelled)
async def cancel(run_id: UUID, caller: SecretCaller, services: FromRequest) -> Cancelled:
    """Ends a run. Once this has answered, no send of it begins any more."""
    async with services.database.transaction(caller.project_id) as tx:
        run = await tx.get(FlowRun, (caller.project_id, run_id))
        if run is None:
            raise _no_run(run_id)
        if run.status not in UNFINISHED:
            return Cancelled(cancelled=False)
        await lock_visitor(tx, run.visitor_id)
        ended = await end_runs(tx, caller.project_id, [run_id], BY_HAND, datetime.now(UTC))
        return Cancelled(cancelled=ended == 1)


@router.get("/deliveries", response_model=DeliveryList)
async def list_deliveries(
    caller: SecretCaller,
    services: FromRequest,
    status: Annotated[DeliveryStatus | None, Query(description="unknown: nobody can say whether it went out.")] = None,
    visitor: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryList:
    """What was sent, or tried, and what became of it."""
    query = (
        select(Delivery)
        .where(Delivery.project_id == caller.project_id)
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(Delivery.status == status)
    if visitor is not None:
        query = query.where(Delivery.visitor_id == visitor)
    if (before := page_end(cursor)) is not None:
        query = query.where(tuple_(Delivery.created_at, Delivery.id) < before)
    async with services.database.transaction(caller.project_id) as tx:
        found = (await tx.scalars(query)).all()
    last = found[-1] if len(found) == limit else None
    return DeliveryList(
        deliveries=[as_seen_by(caller, DeliveryLine.model_validate(one, from_attributes=True)) for one in found],
        next=str(PageEnd(last.created_at, last.id)) if last is not None else None,
    )


def _run(found: store.RunView, caller: ResolvedKey) -> RunOut:
    run = RunOut.model_validate(found, from_attributes=True)
    history = [line.model_copy(update={"detail": line_shown_to(caller, line.detail)}) for line in run.history]
    return run.model_copy(
        update={"history": history, "deliveries": [as_seen_by(caller, one) for one in run.deliveries]}
    )


def _no_run(run_id: UUID) -> NotFound:
    return NotFound(f"There is no run {run_id} in this project.")
