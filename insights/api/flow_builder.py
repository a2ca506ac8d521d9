"""Flows over HTTP, to build: drafts, everything wrong with them, versions, publishing, files, starters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from sqlalchemy.ext.asyncio import AsyncSession

from flows.errors import Fault
from insights.api import flow_shapes as shapes
from insights.api.caller import SecretCaller
from insights.api.etag import IfMatch, etag_of, version_of
from insights.api.once import Answer, OnceOnly
from insights.api.services import FromRequest
from insights.building import drafts, publishing
from insights.building.bundle import bundle, flow_in, read_in
from insights.building.drafts import BuiltFlow
from insights.building.schema import flow_schema
from insights.errors import NotFound
from insights.recovery.starter import starter_flows
from insights.recovery.thanks import thanks_flows

router = APIRouter(prefix="/v1/flows", tags=["flow builder"])

REFUSED: dict[int | str, dict[str, Any]] = {
    409: {"description": "The name is taken, or the flow is not in a state for this."},
    412: {"description": "It was changed since the ETag in If-Match."},
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose flows are built. ``keep_days``: how long the server keeps visits where a project says nothing of it."""

    project_id: UUID
    keep_days: int


def _desk(caller: SecretCaller, services: FromRequest) -> Desk:
    return Desk(caller.project_id, services.settings.keep_days)


AtDesk = Annotated[Desk, Depends(_desk)]


@router.get("/schema")
async def schema() -> dict[str, Any]:
    """JSON Schema of a flow, its steps and triggers, each action's parameters, and conditions."""
    return flow_schema()


@router.post("/validate", response_model=shapes.Checked)
async def validate(body: shapes.DefinitionIn, desk: AtDesk, services: FromRequest) -> shapes.Checked:
    """Everything wrong with a definition, at once."""
    drafts.bounded(body.definition)
    async with services.database.transaction(desk.project_id) as tx:
        flow, faults = await publishing.check(tx, desk.project_id, body.definition, desk.keep_days)
    return shapes.Checked(
        valid=flow is not None,
        faults=shapes.faults_out(faults),
        definition=None if flow is None else flow.model_dump(mode="json", by_alias=True),
    )


@router.get("/starters", response_model=shapes.Starters)
async def starters() -> shapes.Starters:
    """The starter library."""
    return shapes.Starters(starters=list(_starters().values()))


@router.post("/starters/{starter}", response_model=shapes.BuiltFlowOut, status_code=201, responses=REFUSED)
async def take_starter(starter: str, desk: AtDesk, once: OnceOnly, body: shapes.StarterIn | None = None) -> Response:
    """A draft of your own out of the starter library."""
    found = _starters().get(starter)
    if found is None:
        raise NotFound(f"There is no starter {starter[:60]!r}: GET /v1/flows/starters lists them.")
    name = body.name if body is not None and body.name is not None else found.name
    return await once.do(lambda tx: _created(tx, desk, found.definition | {"name": name}))


@router.post("/import", response_model=shapes.BuiltFlowOut, status_code=201, responses=REFUSED)
async def import_flow(body: shapes.ImportIn, desk: AtDesk, once: OnceOnly) -> Response:
    """A draft out of an exported file, with drafts of the messages it sends that this project has none of."""
    definition = flow_in(body.file)
    if body.name is not None:
        definition = definition | {"name": body.name}

    async def work(tx: AsyncSession) -> Answer:
        built = await read_in(tx, desk.project_id, body.file, definition, datetime.now(UTC))
        return await _made(tx, desk, built)

    return await once.do(work)


@router.post("", response_model=shapes.BuiltFlowOut, status_code=201, responses=REFUSED)
async def create_flow(body: shapes.DefinitionIn, desk: AtDesk, once: OnceOnly) -> Response:
    """A new flow as a draft: nothing runs it before it is published."""
    return await once.do(lambda tx: _created(tx, desk, body.definition))


@router.get("/{flow_id}", response_model=shapes.BuiltFlowOut)
async def get_flow(flow_id: UUID, desk: AtDesk, services: FromRequest, response: Response) -> shapes.BuiltFlowOut:
    """A flow with its draft, what is published, and what keeps the draft from being so."""
    async with services.database.transaction(desk.project_id) as tx:
        answer = await _shown(tx, desk, await drafts.get_built(tx, desk.project_id, flow_id))
    response.headers.update(answer.headers)
    assert isinstance(answer.body, shapes.BuiltFlowOut)  # noqa: S101
    return answer.body


@router.put("/{flow_id}", response_model=shapes.BuiltFlowOut, responses=REFUSED)
async def save_draft(
    flow_id: UUID,
    body: shapes.DefinitionIn,
    desk: AtDesk,
    services: FromRequest,
    response: Response,
    if_match: IfMatch = None,
) -> shapes.BuiltFlowOut:
    """Replaces the draft; what is published goes on. With If-Match only if nobody changed the flow meanwhile."""
    async with services.database.transaction(desk.project_id) as tx:
        built = await drafts.save(
            tx, desk.project_id, flow_id, body.definition, datetime.now(UTC), version_of(if_match)
        )
        answer = await _shown(tx, desk, built)
    response.headers.update(answer.headers)
    assert isinstance(answer.body, shapes.BuiltFlowOut)  # noqa: S101
    return answer.body


@router.post("/{flow_id}/publish", response_model=shapes.Published, responses=REFUSED)
async def publish(flow_id: UUID, desk: AtDesk, once: OnceOnly, if_match: IfMatch = None) -> Response:
    """New runs follow the draft from now on; runs under way stay with their version, and nothing that happened before
    starts one. Refused with everything wrong. An unchanged draft makes no new version."""

    async def work(tx: AsyncSession) -> Answer:
        revision = version_of(if_match)
        built, new = await publishing.publish(tx, desk.project_id, flow_id, datetime.now(UTC), revision, desk.keep_days)
        return _answer(shapes.Published(**shapes.built_out(built, []), new_version=new), built)

    return await once.do(work)


@router.post("/{flow_id}/pause", response_model=shapes.BuiltFlowOut, responses=REFUSED)
async def pause(
    flow_id: UUID,
    desk: AtDesk,
    once: OnceOnly,
    body: shapes.PauseIn | None = None,
    if_match: IfMatch = None,
) -> Response:
    """Nothing starts the flow any more; its runs under way finish, or are cancelled."""
    cancel = body is not None and body.runs == "cancel"
    return await once.do(
        _changing(
            desk,
            lambda tx, now: publishing.pause(
                tx, desk.project_id, flow_id, now, version_of(if_match), cancel_runs=cancel
            ),
        )
    )


@router.post("/{flow_id}/resume", response_model=shapes.BuiltFlowOut, responses=REFUSED)
async def resume(flow_id: UUID, desk: AtDesk, once: OnceOnly, if_match: IfMatch = None) -> Response:
    """What was published last runs again, for what happens from now on. Refused where something of it is gone since."""
    return await once.do(
        _changing(
            desk,
            lambda tx, now: publishing.resume(tx, desk.project_id, flow_id, now, version_of(if_match), desk.keep_days),
        )
    )


@router.post("/{flow_id}/archive", response_model=shapes.BuiltFlowOut, responses=REFUSED)
async def archive(flow_id: UUID, desk: AtDesk, once: OnceOnly, if_match: IfMatch = None) -> Response:
    """Takes the flow out of use: its runs are cancelled, and what it did can still be read."""
    return await once.do(
        _changing(desk, lambda tx, now: publishing.archive(tx, desk.project_id, flow_id, now, version_of(if_match)))
    )


@router.post("/{flow_id}/restore", response_model=shapes.BuiltFlowOut, responses=REFUSED)
async def restore(flow_id: UUID, desk: AtDesk, once: OnceOnly, if_match: IfMatch = None) -> Response:
    """Takes an archived flow back, paused."""
    return await once.do(
        _changing(desk, lambda tx, now: publishing.restore(tx, desk.project_id, flow_id, now, version_of(if_match)))
    )


@router.post("/{flow_id}/clone", response_model=shapes.BuiltFlowOut, status_code=201, responses=REFUSED)
async def clone(flow_id: UUID, body: shapes.CloneIn, desk: AtDesk, once: OnceOnly) -> Response:
    """A new draft with what the flow's draft says, under another name."""

    async def work(tx: AsyncSession) -> Answer:
        built = await drafts.get_built(tx, desk.project_id, flow_id)
        return await _created(tx, desk, built.definition | {"name": body.name})

    return await once.do(work)


@router.get("/{flow_id}/export")
async def export(flow_id: UUID, desk: AtDesk, services: FromRequest, response: Response) -> dict[str, Any]:
    """The draft as one file, with the shop's own messages that it sends."""
    async with services.database.transaction(desk.project_id) as tx:
        built = await drafts.get_built(tx, desk.project_id, flow_id)
        file = await bundle(tx, desk.project_id, built)
    response.headers["content-disposition"] = f'attachment; filename="flow-{built.id}.json"'
    return file


def _starters() -> dict[str, shapes.Starter]:
    return {
        flow.name: shapes.Starter(
            name=flow.name,
            kind=getattr(flow.trigger, "kind", None) or "",
            reasons=list(getattr(flow.trigger, "reasons", ())),
            description=flow.description,
            definition=flow.model_dump(mode="json", by_alias=True),
        )
        for flow in [*starter_flows(), *thanks_flows()]
    }


def _changing(
    desk: Desk, change: Callable[[AsyncSession, datetime], Awaitable[BuiltFlow]]
) -> Callable[[AsyncSession], Awaitable[Answer]]:
    async def work(tx: AsyncSession) -> Answer:
        return await _shown(tx, desk, await change(tx, datetime.now(UTC)))

    return work


async def _created(tx: AsyncSession, desk: Desk, definition: dict[str, Any]) -> Answer:
    return await _made(tx, desk, await drafts.create(tx, desk.project_id, definition, datetime.now(UTC)))


async def _made(tx: AsyncSession, desk: Desk, built: BuiltFlow) -> Answer:
    shown = await _shown(tx, desk, built)
    return Answer(shown.body, {**shown.headers, "location": f"/v1/flows/{built.id}"}, 201)


async def _shown(tx: AsyncSession, desk: Desk, built: BuiltFlow) -> Answer:
    faults: list[Fault] = (await publishing.check(tx, desk.project_id, built.definition, desk.keep_days))[1]
    return _answer(shapes.BuiltFlowOut(**shapes.built_out(built, faults)), built)


def _answer(body: shapes.BuiltFlowOut, built: BuiltFlow) -> Answer:
    return Answer(body, {"etag": etag_of(built.revision)})
