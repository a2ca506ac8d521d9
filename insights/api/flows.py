"""Flows and their runs over HTTP, to read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from flows import store
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.vocabulary.session_group import session_group

router = APIRouter(prefix="/v1", tags=["flows"])


class FlowOut(BaseModel):
    """A published flow; ``definition`` is what new runs follow."""

    id: UUID
    name: str
    version: int
    runs: int
    definition: dict[str, Any]


class FlowList(BaseModel):
    """The published flows of the project."""

    flows: list[FlowOut]


class RunLineOut(BaseModel):
    """One thing that happened to a run."""

    at: datetime
    step: str | None
    what: str
    detail: str


class DeliveryOut(BaseModel):
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


class RunOut(BaseModel):
    """One execution of a flow."""

    id: UUID
    flow: str
    version: int
    status: str
    step: str
    due_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    history: list[RunLineOut]
    deliveries: list[DeliveryOut]


class RunList(BaseModel):
    """Runs, newest first."""

    runs: list[RunOut]


@router.get("/flows", response_model=FlowList)
async def list_flows(caller: SecretCaller, services: FromRequest) -> FlowList:
    """The published flows by name."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await store.list_flows(tx, caller.project_id)
    return FlowList(
        flows=[
            FlowOut(
                id=flow.id,
                name=flow.name,
                version=flow.number,
                runs=flow.runs,
                definition=flow.definition.model_dump(mode="json", by_alias=True),
            )
            for flow in found
        ]
    )


@router.get("/runs", response_model=RunList)
async def list_runs(
    caller: SecretCaller,
    services: FromRequest,
    session: UUID | None = Query(None, description="Only runs that this session started."),
    visitor: UUID | None = Query(None, description="Only runs of this visitor."),
    limit: int = Query(50, ge=1, le=200),
) -> RunList:
    """The latest runs, each with its history and deliveries."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await store.list_runs(
            tx,
            caller.project_id,
            session_group=session_group(session) if session else None,
            visitor_id=visitor,
            limit=limit,
        )
    return RunList(runs=[RunOut.model_validate(run, from_attributes=True) for run in found])
