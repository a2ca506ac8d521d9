"""Stores what somebody writes of a flow, and reads flows back with their draft, their state and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.documents import same
from flows.models import Flow, FlowRun, FlowVersion
from flows.triggers import UNFINISHED
from insights.errors import Changed, Conflict, InUse, NotFound, Refused
from insights.models import FlowDraft

MOST_FLOWS: Final = 500
"""In a project, archived ones among them."""
MOST_BYTES: Final = 300_000
"""Of one definition as JSON."""

State = Literal["draft", "live", "paused", "archived"]


@dataclass(frozen=True, slots=True)
class Version:
    """A published version. ``runs``: how many started on it; ``unfinished``: how many of them are under way."""

    id: UUID
    number: int
    definition: dict[str, Any]
    published_at: datetime
    runs: int = 0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class BuiltFlow:
    """A flow as its builder sees it. ``definition`` is the draft; ``live`` what new runs get; ``latest`` was published
    last. ``revision`` 0: nobody has edited it since it was published from elsewhere."""

    id: UUID
    name: str
    state: State
    revision: int
    definition: dict[str, Any]
    live: Version | None
    latest: Version | None
    created_at: datetime
    updated_at: datetime

    @property
    def changed(self) -> bool:
        """Whether the draft says something else than what was published last."""
        return self.latest is None or self.latest.definition != self.definition


async def list_built(tx: AsyncSession, project_id: UUID, *, archived: bool = False) -> list[BuiltFlow]:
    """The flows by name, without the archived ones unless they are asked for."""
    flows = (
        await tx.execute(
            select(Flow, FlowDraft)
            .outerjoin(FlowDraft, (FlowDraft.project_id == Flow.project_id) & (FlowDraft.flow_id == Flow.id))
            .where(Flow.project_id == project_id)
            .order_by(Flow.name)
        )
    ).all()
    latest = await _latest(tx, project_id)
    built = [_built(flow, draft, latest.get(flow.id, [])) for flow, draft in flows]
    return [one for one in built if archived or one.state != "archived"]


async def runs_of_flows(tx: AsyncSession, project_id: UUID) -> dict[UUID, tuple[int, int]]:
    """Flow → how many runs it ever had, and how many of them are under way."""
    rows = await tx.execute(
        select(FlowRun.flow_id, func.count(), func.count().filter(FlowRun.status.in_(UNFINISHED)))
        .where(FlowRun.project_id == project_id)
        .group_by(FlowRun.flow_id)
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def get_built(tx: AsyncSession, project_id: UUID, flow_id: UUID, *, lock: bool = False) -> BuiltFlow:
    """One flow. Raises NotFound."""
    flow = await _flow(tx, project_id, flow_id, lock=lock)
    draft = await tx.get(FlowDraft, (project_id, flow_id), populate_existing=True)
    return _built(flow, draft, (await _latest(tx, project_id, flow_id)).get(flow_id, []))


async def list_versions(tx: AsyncSession, project_id: UUID, flow_id: UUID) -> list[Version]:
    """What was published, the newest first, runs not counted. Raises NotFound."""
    await _flow(tx, project_id, flow_id)
    return [_version(one) for one in await tx.scalars(_published(project_id, flow_id))]


async def get_version(tx: AsyncSession, project_id: UUID, flow_id: UUID, number: int) -> Version:
    """One version of a flow, runs not counted. Raises NotFound."""
    await _flow(tx, project_id, flow_id)
    found = await tx.scalar(_published(project_id, flow_id).where(FlowVersion.number == number))
    if found is None:
        raise NotFound(f"This flow has no version {number}: GET /v1/flows/{flow_id}/versions lists them.")
    return _version(found)


async def with_runs(tx: AsyncSession, project_id: UUID, versions: Sequence[Version]) -> list[Version]:
    """The same versions, with how many runs each ever had and how many of them are under way."""
    rows = await tx.execute(
        select(FlowRun.version_id, func.count(), func.count().filter(FlowRun.status.in_(UNFINISHED)))
        .where(FlowRun.project_id == project_id, FlowRun.version_id.in_([one.id for one in versions]))
        .group_by(FlowRun.version_id)
    )
    counted = {row[0]: (row[1], row[2]) for row in rows}
    return [
        replace(one, runs=runs, unfinished=left) for one in versions for runs, left in [counted.get(one.id, (0, 0))]
    ]


async def create(tx: AsyncSession, project_id: UUID, definition: dict[str, Any], now: datetime) -> BuiltFlow:
    """A new flow that runs nothing yet. Raises Refused, InUse when the name is taken."""
    name = name_of(definition)
    count = await tx.scalar(select(func.count()).select_from(Flow).where(Flow.project_id == project_id))
    if (count or 0) >= MOST_FLOWS:
        raise Conflict(f"There are {MOST_FLOWS} flows already, the most there may be.")
    flow = Flow(project_id=project_id, id=uuid4(), name=name, version_id=None, created_at=now)
    tx.add(flow)
    await _flush(tx, name)
    tx.add(FlowDraft(project_id=project_id, flow_id=flow.id, definition=definition, revision=1, updated_at=now))
    await tx.flush()
    return await get_built(tx, project_id, flow.id)


async def save(
    tx: AsyncSession, project_id: UUID, flow_id: UUID, definition: dict[str, Any], now: datetime, revision: int | None
) -> BuiltFlow:
    """Replaces the draft. What is published goes on as it is. ``revision``: only if it is still that one, else Changed.

    A name that another flow has is InUse; the flow itself gets its new name when it is published. What says the same
    already stays at its revision.
    """
    name = name_of(definition)
    built = await locked(tx, project_id, flow_id, revision)
    taken = await tx.scalar(select(Flow.id).where(Flow.project_id == project_id, Flow.name == name, Flow.id != flow_id))
    if taken is not None:
        raise _name_taken(name)
    if same(definition, built.definition):
        return built
    draft = await touch(tx, project_id, built, now)
    draft.definition = definition
    if built.latest is None:
        (await _flow(tx, project_id, flow_id)).name = name
    await _flush(tx, name)
    return await get_built(tx, project_id, flow_id)


async def locked(tx: AsyncSession, project_id: UUID, flow_id: UUID, revision: int | None) -> BuiltFlow:
    """The flow, which nobody else changes until this transaction ends. Raises NotFound, Changed."""
    built = await get_built(tx, project_id, flow_id, lock=True)
    if revision is not None and revision != built.revision:
        raise Changed(f"The flow is at revision {built.revision}. Read it again and repeat your change.")
    return built


async def touch(tx: AsyncSession, project_id: UUID, built: BuiltFlow, now: datetime) -> FlowDraft:
    """The row of the draft, one revision further; made of what is published where there is none yet."""
    draft = await tx.get(FlowDraft, (project_id, built.id))
    if draft is None:
        draft = FlowDraft(
            project_id=project_id, flow_id=built.id, definition=built.definition, revision=0, updated_at=now
        )
        tx.add(draft)
    draft.revision += 1
    draft.updated_at = now
    return draft


def name_of(definition: dict[str, Any]) -> str:
    """The name that a definition gives. Raises Refused: without one a flow cannot be stored."""
    name = definition.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > 100:
        raise Refused("definition.name: give the flow a name of 1 to 100 characters.", field="definition.name")
    bounded(definition)
    return name


def bounded(definition: dict[str, Any]) -> None:
    """Raises Refused for a definition that is larger than any may be."""
    if len(msgspec.json.encode(definition)) > MOST_BYTES:
        raise Refused(f"definition: is larger than {MOST_BYTES:,} bytes; split the flow.", field="definition")


async def _flow(tx: AsyncSession, project_id: UUID, flow_id: UUID, *, lock: bool = False) -> Flow:
    query = select(Flow).where(Flow.project_id == project_id, Flow.id == flow_id)
    found = await tx.scalar(query.with_for_update().execution_options(populate_existing=True) if lock else query)
    if found is None:
        raise NotFound(f"There is no flow {flow_id} in this project. GET /v1/flows lists them.")
    return found


async def _latest(tx: AsyncSession, project_id: UUID, flow_id: UUID | None = None) -> dict[UUID, list[FlowVersion]]:
    """Flow → the version published last, and the live one if that is another."""
    of = FlowVersion.project_id == project_id
    newest = select(FlowVersion.flow_id, func.max(FlowVersion.number).label("number")).where(of)
    query = (
        select(FlowVersion)
        .join(Flow, (Flow.project_id == FlowVersion.project_id) & (Flow.id == FlowVersion.flow_id))
        .where(of)
        .order_by(FlowVersion.number.desc())
    )
    if flow_id is not None:
        newest = newest.where(FlowVersion.flow_id == flow_id)
        query = query.where(FlowVersion.flow_id == flow_id)
    last = newest.group_by(FlowVersion.flow_id).subquery()
    query = query.join(last, last.c.flow_id == FlowVersion.flow_id).where(
        (FlowVersion.number == last.c.number) | (FlowVersion.id == Flow.version_id)
    )
    found: dict[UUID, list[FlowVersion]] = {}
    for version in await tx.scalars(query):
        found.setdefault(version.flow_id, []).append(version)
    return found


def _built(flow: Flow, draft: FlowDraft | None, versions: list[FlowVersion]) -> BuiltFlow:
    latest = _version(versions[0]) if versions else None
    live = next((_version(one) for one in versions if one.id == flow.version_id), None)
    state: State = "live" if live is not None else "paused" if latest is not None else "draft"
    if draft is not None and draft.archived_at is not None:
        state = "archived"
    definition = draft.definition if draft is not None else latest.definition if latest is not None else {}
    return BuiltFlow(
        id=flow.id,
        name=flow.name,
        state=state,
        revision=draft.revision if draft is not None else 0,
        definition=definition,
        live=live,
        latest=latest,
        created_at=flow.created_at,
        updated_at=draft.updated_at if draft is not None else latest.published_at if latest else flow.created_at,
    )


def _published(project_id: UUID, flow_id: UUID) -> Select[FlowVersion]:
    return (
        select(FlowVersion)
        .where(FlowVersion.project_id == project_id, FlowVersion.flow_id == flow_id)
        .order_by(FlowVersion.number.desc())
    )


def _version(version: FlowVersion) -> Version:
    return Version(version.id, version.number, version.definition, version.published_at)


async def _flush(tx: AsyncSession, name: str) -> None:
    try:
        await tx.flush()
    except IntegrityError as error:
        raise _name_taken(name) from error


def _name_taken(name: str) -> InUse:
    return InUse(f"Another flow is called {name!r}; give this one another name.", field="definition.name")
