"""Versions of a flow over HTTP: what was published, one by one, and what differs between two or from the draft."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from insights.api import flow_shapes as shapes
from insights.api.flow_builder import AtDesk, Desk
from insights.api.services import FromRequest
from insights.building import drafts
from insights.building.changes import difference
from insights.building.drafts import BuiltFlow
from insights.building.reading import read
from insights.errors import Conflict

router = APIRouter(prefix="/v1/flows", tags=["flow builder"])

Which = Annotated[str, StringConstraints(pattern="^(draft|[0-9]{1,9})$")]


@router.get("/{flow_id}/versions", response_model=shapes.Versions)
async def versions(flow_id: UUID, desk: AtDesk, services: FromRequest) -> shapes.Versions:
    """What was published, the newest first, with how many runs follow each version."""
    async with services.database.transaction(desk.project_id) as tx:
        built = await drafts.get_built(tx, desk.project_id, flow_id)
        found = await drafts.with_runs(tx, desk.project_id, await drafts.list_versions(tx, desk.project_id, flow_id))
    return shapes.Versions(versions=[shapes.version_out(version, built) for version in found])


@router.get("/{flow_id}/versions/{number}", response_model=shapes.VersionOut)
async def one_version(flow_id: UUID, number: int, desk: AtDesk, services: FromRequest) -> shapes.VersionOut:
    """One version."""
    async with services.database.transaction(desk.project_id) as tx:
        built = await drafts.get_built(tx, desk.project_id, flow_id)
        version = await drafts.get_version(tx, desk.project_id, flow_id, number)
        [counted] = await drafts.with_runs(tx, desk.project_id, [version])
    return shapes.version_out(counted, built)


@router.get("/{flow_id}/diff", response_model=shapes.DifferenceOut)
async def diff(
    flow_id: UUID,
    desk: AtDesk,
    services: FromRequest,
    before: Annotated[Which | None, Query(description='A number, or "draft"; without it the latest version.')] = None,
    after: Annotated[Which, Query(description='A number, or "draft".')] = "draft",
) -> shapes.DifferenceOut:
    """What differs between two versions, or a version and the draft: steps added, removed and changed, and where."""
    async with services.database.transaction(desk.project_id) as tx:
        built = await drafts.get_built(tx, desk.project_id, flow_id)
        if before is None:
            if built.latest is None:
                raise Conflict("This flow was never published: there is nothing to compare with.")
            before = str(built.latest.number)
        old, new = [await _definition(tx, desk, built, which) for which in (before, after)]
    return shapes.difference_out(before, after, difference(old, new))


async def _definition(tx: AsyncSession, desk: Desk, built: BuiltFlow, which: str) -> dict[str, Any]:
    if which == "draft":
        # As it would be understood: what is left out and what is written out as its default are the same.
        flow = read(built.definition).flow
        return built.definition if flow is None else flow.model_dump(mode="json", by_alias=True)
    return (await drafts.get_version(tx, desk.project_id, built.id, int(which))).definition
