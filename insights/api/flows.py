"""The flows of a project over HTTP, to read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.building.drafts import BuiltFlow, State, list_built, runs_of_flows

router = APIRouter(prefix="/v1", tags=["flows"])


class FlowOut(BaseModel):
    """A flow. ``definition`` is what new runs follow, ``version`` its number; both null while none start.

    ``state``: draft (never published), live, paused or archived; ``changed``: its draft says something else.
    """

    id: UUID
    name: str
    state: State
    version: int | None
    changed: bool
    revision: int
    updated_at: datetime
    runs: int
    unfinished: int
    trigger: dict[str, Any] | None
    description: str
    definition: dict[str, Any] | None


class FlowList(BaseModel):
    """The flows of the project by name."""

    flows: list[FlowOut]


@router.get("/flows", response_model=FlowList)
async def list_flows(
    caller: SecretCaller,
    services: FromRequest,
    archived: bool = Query(False, description="The archived ones as well."),
) -> FlowList:
    """The flows by name."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await list_built(tx, caller.project_id, archived=archived)
        runs = await runs_of_flows(tx, caller.project_id)
    return FlowList(flows=[_flow(built, runs.get(built.id, (0, 0))) for built in found])


def _flow(built: BuiltFlow, runs: tuple[int, int]) -> FlowOut:
    shown = built.live.definition if built.live is not None else built.definition
    trigger, description = shown.get("trigger"), shown.get("description")
    return FlowOut(
        id=built.id,
        name=built.name,
        state=built.state,
        version=built.live.number if built.live is not None else None,
        changed=built.changed,
        revision=built.revision,
        updated_at=built.updated_at,
        runs=runs[0],
        unfinished=runs[1],
        trigger=trigger if isinstance(trigger, dict) else None,
        description=description if isinstance(description, str) else "",
        definition=built.live.definition if built.live is not None else None,
    )
