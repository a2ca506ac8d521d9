"""Segments over HTTP: define, change, delete, preview; and the visitors that were added to one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions import to_words
from flows.store import conditions_of_flows
from insights.api.caller import SecretCaller
from insights.api.conditions import Written
from insights.api.etag import IfMatch, etag_of, version_of
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.api.whole_names import may_ask
from insights.conditions.fields import condition
from insights.conditions.places import Place
from insights.errors import Refused
from insights.models import Segment
from insights.plans.entries import conditions_of_entries
from insights.profiles.store import IDLE_SECONDS
from insights.segments import membership, store
from insights.segments.preview import preview
from insights.segments.rename import rename_segment

router = APIRouter(prefix="/v1/segments", tags=["segments"])

Name = Annotated[str, Path(min_length=1, max_length=60)]


class SegmentChange(StoredBody):
    """What may be changed. Without ``when`` a segment has only those who were added to it."""

    description: str = ""
    when: Written | None = Field(None, description="The condition: its JSON form or its text.")


class SegmentPut(SegmentChange):
    """The whole segment, and perhaps another name."""

    name: str | None = Field(
        None,
        min_length=1,
        max_length=60,
        description="Another name; left out, it keeps its own. Refused while something asks about it by the old one.",
    )


class SegmentIn(SegmentChange):
    """A new segment."""

    name: str = Field(min_length=1, max_length=60, description="a-z, 0-9, _ and -; what conditions call it.")


class SegmentOut(BaseModel):
    """A segment. ``members``: visitors who were in it at their last visit, or were added; told where it is read."""

    id: UUID
    name: str
    description: str
    when: dict[str, Any] | None
    text: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    members: int | None = None


class SegmentList(BaseModel):
    """The segments of the project by name."""

    segments: list[SegmentOut]


class SegmentPreviewIn(StoredBody):
    """The condition to try, or the name of a segment."""

    when: Written | None = None
    segment: str | None = None


class ExampleOut(BaseModel):
    """A visitor whom it covers, and why."""

    visitor: UUID
    last_seen_at: datetime
    why: str


class SegmentPreviewOut(BaseModel):
    """How many of the visitors examined it covers now. ``complete``: all of them were examined."""

    matched: int
    unknown: int
    examined: int
    total: int
    complete: bool
    sample: list[ExampleOut]


class AddedOut(BaseModel):
    """Whether this changed anything."""

    changed: bool


@router.get("", response_model=SegmentList)
async def list_segments(caller: SecretCaller, services: FromRequest) -> SegmentList:
    """The segments of the project by name."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await store.list_segments(tx, caller.project_id)
    return SegmentList(segments=[_out(segment, members) for segment, members in found])


@router.post("", response_model=SegmentOut, status_code=201)
async def create_segment(
    body: SegmentIn, caller: SecretCaller, services: FromRequest, response: Response
) -> SegmentOut:
    """A new segment."""
    async with services.database.transaction(caller.project_id) as tx:
        segment = await store.create_segment(
            tx,
            caller.project_id,
            name=body.name,
            description=body.description,
            written=body.when,
            now=datetime.now(UTC),
        )
    response.headers["etag"] = etag_of(segment.version)
    response.headers["location"] = f"/v1/segments/{segment.name}"
    return _out(segment)


@router.post("/preview", response_model=SegmentPreviewOut)
async def preview_segment(body: SegmentPreviewIn, caller: SecretCaller, services: FromRequest) -> SegmentPreviewOut:
    """How many visitors a condition or a segment covers now, with a few of them: at most 2,000 are examined."""
    if (body.when is None) == (body.segment is None):
        raise Refused("Give either when (a condition) or segment (a name).", field="when")
    async with services.database.transaction(caller.project_id) as tx:
        if body.segment is not None:
            segment = await store.get_segment(tx, caller.project_id, body.segment)
            wanted = condition({"field": store.IN_SEGMENT, "op": "has", "value": segment.name}, Place.SEGMENT)
        else:
            wanted = condition(body.when, Place.SEGMENT)
            may_ask(caller, [wanted])
            store.refuse_unknown_segments(wanted, await store.conditions_of_segments(tx, caller.project_id))
        found = await preview(tx, caller.project_id, wanted, datetime.now(UTC))
    return SegmentPreviewOut(
        matched=found.matched,
        unknown=found.unknown,
        examined=found.examined,
        total=found.total,
        complete=found.complete,
        sample=[ExampleOut(visitor=one.visitor_id, last_seen_at=one.last_seen_at, why=one.why) for one in found.sample],
    )


@router.get("/{name}", response_model=SegmentOut)
async def get_segment(name: Name, caller: SecretCaller, services: FromRequest, response: Response) -> SegmentOut:
    """One segment, with its ETag."""
    async with services.database.transaction(caller.project_id) as tx:
        segment = await store.get_segment(tx, caller.project_id, name)
        members = await store.members_of(tx, segment)
    response.headers["etag"] = etag_of(segment.version)
    return _out(segment, members)


@router.put("/{name}", response_model=SegmentOut)
async def change_segment(
    name: Name,
    body: SegmentPut,
    caller: SecretCaller,
    services: FromRequest,
    response: Response,
    if_match: IfMatch = None,
) -> SegmentOut:
    """Changes a segment as a whole. With If-Match only if nobody changed it meanwhile."""
    now = datetime.now(UTC)
    async with services.database.transaction(caller.project_id) as tx:
        segment = await store.change_segment(
            tx,
            caller.project_id,
            name,
            description=body.description,
            written=body.when,
            version=version_of(if_match),
            now=now,
        )
        if body.name is not None and body.name != name:
            users = await _users(tx, caller.project_id)
            seen_since = now - timedelta(seconds=IDLE_SECONDS)
            await rename_segment(tx, caller.project_id, segment, body.name, users=users, seen_since=seen_since)
    response.headers["etag"] = etag_of(segment.version)
    return _out(segment)


@router.delete("/{name}", status_code=204)
async def delete_segment(name: Name, caller: SecretCaller, services: FromRequest, if_match: IfMatch = None) -> None:
    """Deletes a segment that no other segment, published flow or live action asks about."""
    async with services.database.transaction(caller.project_id) as tx:
        users = await _users(tx, caller.project_id)
        await store.delete_segment(tx, caller.project_id, name, version=version_of(if_match), users=users)


@router.put("/{name}/visitors/{visitor}", response_model=AddedOut)
async def add_visitor(name: Name, visitor: UUID, caller: SecretCaller, services: FromRequest) -> AddedOut:
    """Adds a visitor to a segment, whatever its condition says."""
    async with services.database.transaction(caller.project_id) as tx:
        now = datetime.now(UTC)
        return AddedOut(changed=await membership.add_visitor(tx, caller.project_id, name, visitor, now))


@router.delete("/{name}/visitors/{visitor}", response_model=AddedOut)
async def remove_visitor(name: Name, visitor: UUID, caller: SecretCaller, services: FromRequest) -> AddedOut:
    """Takes back that a visitor was added; the segment's condition may still cover them."""
    async with services.database.transaction(caller.project_id) as tx:
        return AddedOut(changed=await membership.remove_visitor(tx, caller.project_id, name, visitor))


async def _users(tx: AsyncSession, project_id: UUID) -> store.Users:
    flows = await conditions_of_flows(tx, project_id)
    actions = await conditions_of_entries(tx, project_id)
    return {f"flow {flow}": conditions for flow, conditions in flows.items()} | {
        f"live action {action}": conditions for action, conditions in actions.items()
    }


def _out(segment: Segment, members: int | None = None) -> SegmentOut:
    found = store.stored(segment.condition)
    return SegmentOut(
        id=segment.id,
        name=segment.name,
        description=segment.description,
        when=segment.condition,
        text=to_words(found) if found is not None else None,
        version=segment.version,
        created_at=segment.created_at,
        updated_at=segment.updated_at,
        members=members,
    )
