"""Tags and segments of a visitor over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.errors import NotFound
from insights.identity.together import person_of
from insights.models import Visitor
from insights.segments.crowd import Crowd
from insights.segments.knowledge import Group
from insights.segments.store import conditions_of_segments
from insights.segments.tags import change_tags, tags_of

router = APIRouter(prefix="/v1/visitors", tags=["visitors"])


class TagsOut(BaseModel):
    """The visitor's tags in alphabetical order."""

    tags: list[str]


class TagsIn(StoredBody):
    """Tags to put on and to take off. What is on already, or not on, stays as it is."""

    set: list[str] = Field(default_factory=list, max_length=50)
    remove: list[str] = Field(default_factory=list, max_length=50)


class SegmentsOut(BaseModel):
    """The segments that the visitor is in now."""

    segments: list[str]


@router.get("/{visitor}/tags", response_model=TagsOut)
async def get_tags(visitor: UUID, caller: SecretCaller, services: FromRequest) -> TagsOut:
    """The visitor's tags."""
    async with services.database.transaction(caller.project_id) as tx:
        await _known(tx, caller.project_id, visitor)
        person = await person_of(tx, caller.project_id, visitor)
        return TagsOut(tags=await tags_of(tx, caller.project_id, person))


@router.post("/{visitor}/tags", response_model=TagsOut)
async def post_tags(visitor: UUID, body: TagsIn, caller: SecretCaller, services: FromRequest) -> TagsOut:
    """Puts tags on a visitor and takes tags off; answers with what is on then. Doing it again changes nothing."""
    async with services.database.transaction(caller.project_id) as tx:
        tags = await change_tags(
            tx,
            caller.project_id,
            visitor,
            put_on=body.set,
            take_off=body.remove,
            by="api",
            now=datetime.now(UTC),
        )
    return TagsOut(tags=tags)


@router.get("/{visitor}/segments", response_model=SegmentsOut)
async def get_segments(visitor: UUID, caller: SecretCaller, services: FromRequest) -> SegmentsOut:
    """The segments that the visitor is in now, looked at anew. POST /v1/conditions/check says why."""
    async with services.database.transaction(caller.project_id) as tx:
        await _known(tx, caller.project_id, visitor)
        segments = await conditions_of_segments(tx, caller.project_id)
        group = Group(Crowd(tx, caller.project_id, [visitor], datetime.now(UTC)), segments)
        return SegmentsOut(segments=[name for name in sorted(segments) if await group.is_member(visitor, name)])


async def _known(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> None:
    found = await tx.scalar(select(Visitor.id).where(Visitor.project_id == project_id, Visitor.id == visitor_id))
    if found is None:
        raise NotFound(f"There is no visitor {visitor_id} in this project.")
