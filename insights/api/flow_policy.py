"""What holds for all flows of a project: caps on messages to one person, and quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.models import FlowPolicy
from flows.policy import ProjectPolicy, stored_policy
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest

router = APIRouter(prefix="/v1/settings", tags=["flows"])


@router.get("/flows", response_model=ProjectPolicy)
async def get_policy(caller: SecretCaller, services: FromRequest) -> ProjectPolicy:
    """Caps and quiet hours that hold beside those of each flow; none until somebody sets some."""
    async with services.database.transaction(caller.project_id) as tx:
        row = (
            await tx.execute(
                select(FlowPolicy.caps, FlowPolicy.quiet_hours).where(FlowPolicy.project_id == caller.project_id)
            )
        ).one_or_none()
    return stored_policy(*row) if row is not None else ProjectPolicy()


@router.put("/flows", response_model=ProjectPolicy)
async def put_policy(body: ProjectPolicy, caller: SecretCaller, services: FromRequest) -> ProjectPolicy:
    """Replaces them. They hold for the next message, also of runs under way."""
    written = body.model_dump(mode="json", by_alias=True)
    row = {"caps": written["caps"], "quiet_hours": written["quiet_hours"], "updated_at": datetime.now(UTC)}
    async with services.database.transaction(caller.project_id) as tx:
        await tx.execute(
            upsert(FlowPolicy)
            .values(project_id=caller.project_id, **row)
            .on_conflict_do_update(index_elements=["project_id"], set_=row)
        )
    return body
