"""Finds the flow that a request means: a definition, a stored draft, or one of its versions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import FlowDefinition
from flows.errors import FlowInvalid
from insights.access.keys import ResolvedKey
from insights.api.given import Whole
from insights.api.stored import StoredBody
from insights.building import drafts, publishing
from insights.building.reading import read
from insights.errors import Refused
from insights.wiring.services import Services


class FlowNamed(StoredBody):
    """Which flow: a definition, or a stored flow's draft, or one of its versions."""

    definition: dict[str, Any] | None = None
    flow: UUID | None = None
    version: Whole | None = Field(None, ge=1, description="Of the stored flow; without it, the draft.")


async def flow_named(services: Services, caller: ResolvedKey, body: FlowNamed) -> FlowDefinition:
    """The flow that is meant. Raises FlowInvalid with everything wrong."""
    if (body.definition is None) == (body.flow is None):
        raise Refused("definition: give either definition or flow.", field="definition")
    if body.definition is not None:
        drafts.bounded(body.definition)
    async with services.database.transaction(caller.project_id) as tx:
        document = body.definition if body.definition is not None else await _stored(tx, caller, body)
        flow, faults = await publishing.check(tx, caller.project_id, document, services.settings.keep_days)
    if flow is None:
        if body.version is not None and (old := read(document).flow) is not None:
            return old  # what was published once can be looked at, whatever is gone since
        raise FlowInvalid(faults)
    return flow


async def _stored(tx: AsyncSession, caller: ResolvedKey, body: FlowNamed) -> dict[str, Any]:
    assert body.flow is not None  # noqa: S101
    if body.version is not None:
        return (await drafts.get_version(tx, caller.project_id, body.flow, body.version)).definition
    return (await drafts.get_built(tx, caller.project_id, body.flow)).definition
