"""Publishes, pauses, resumes and archives flows. None of it starts a run: only what happens from then on does.

What is so already is left as it is: done twice, it neither raises the revision nor leaves a second note.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.documents import same
from flows.definition import FlowDefinition
from flows.errors import Fault, FlowInvalid
from flows.models import Flow
from flows.triggers import cancel_flow
from flows.watching import listen
from insights.building import drafts
from insights.building.drafts import BuiltFlow
from insights.building.reading import read
from insights.errors import Conflict, InUse
from insights.recovery.library import looking
from insights.recovery.publish import faults_of, publish_flow


async def check(
    tx: AsyncSession, project_id: UUID, document: object, keep_days: int
) -> tuple[FlowDefinition | None, list[Fault]]:
    """The flow that a document stands for if it is fit to be published, and all that is wrong with it otherwise.

    ``keep_days``: how long the server keeps visits where the project says nothing of it; 0 for ever.
    """
    reading = await looking().beside(project_id, read, document)
    faults = list(reading.faults)
    if reading.readable is not None:
        told = {fault.pointer for fault in faults}
        faults += [
            fault
            for fault in await faults_of(tx, project_id, reading.readable, keep_days)
            if not _only_of_a_stand_in(fault, reading.doubtful, told)
        ]
    return (reading.flow if not faults else None), faults


def _only_of_a_stand_in(fault: Fault, doubtful: frozenset[str], told: set[str]) -> bool:
    """Whether a fault comes of what was put in the place of something unreadable."""
    parts = fault.pointer.split("/")
    if fault.pointer in told or f"/{parts[1] if len(parts) > 1 else ''}" in told:
        return True
    # Where a step leads that cannot be read, nobody knows.
    return bool(doubtful) and ((len(parts) > 2 and parts[2] in doubtful) or fault.problem == "no step leads here")


async def publish(
    tx: AsyncSession, project_id: UUID, flow_id: UUID, now: datetime, revision: int | None, keep_days: int
) -> tuple[BuiltFlow, bool]:
    """Makes the draft what new runs follow; says whether that made a new version. Raises FlowInvalid with everything
    wrong, Changed, NotFound, Conflict for an archived flow."""
    built = await drafts.locked(tx, project_id, flow_id, revision)
    _not_archived(built)
    flow, faults = await check(tx, project_id, built.definition, keep_days)
    if flow is None:
        raise FlowInvalid(faults)
    row = await tx.get_one(Flow, (project_id, flow_id))
    if row.name != flow.name:
        row.name = flow.name
        try:
            await tx.flush()
        except IntegrityError as error:
            raise InUse(f"Another flow is called {flow.name!r}; give this one another name.") from error
    before = built.latest.number if built.latest is not None else 0
    version = await publish_flow(tx, project_id, flow, now, keep_days)
    if built.live is None or built.live.id != version.id or not same(built.definition, version.definition):
        draft = await drafts.touch(tx, project_id, built, now)
        # As it was understood: what was left out is filled in, so that it compares with what is published.
        draft.definition = version.definition
        await tx.flush()
    return await drafts.get_built(tx, project_id, flow_id), version.number != before


async def pause(
    tx: AsyncSession, project_id: UUID, flow_id: UUID, now: datetime, revision: int | None, *, cancel_runs: bool
) -> BuiltFlow:
    """From now on nothing starts this flow. Runs under way go on to their end, or are cancelled: ``cancel_runs``."""
    built = await drafts.locked(tx, project_id, flow_id, revision)
    _not_archived(built)
    if built.latest is None:
        raise Conflict("This flow was never published: there is nothing to pause.")
    if built.live is not None:
        await drafts.touch(tx, project_id, built, now)
    await _stop(tx, project_id, built, now, "paused", cancel_runs=cancel_runs)
    return await drafts.get_built(tx, project_id, flow_id)


async def resume(
    tx: AsyncSession, project_id: UUID, flow_id: UUID, now: datetime, revision: int | None, keep_days: int
) -> BuiltFlow:
    """What was published last runs again for what happens from now on; nothing that happened meanwhile starts it.

    Raises FlowInvalid with everything wrong: a message or a segment may be gone since."""
    built = await drafts.locked(tx, project_id, flow_id, revision)
    _not_archived(built)
    if built.latest is None:
        raise Conflict("This flow was never published: publish it.")
    flow, faults = await check(tx, project_id, built.latest.definition, keep_days)
    if flow is None:
        raise FlowInvalid(faults)
    if built.live is not None and built.live.id == built.latest.id:
        return built
    (await tx.get_one(Flow, (project_id, flow_id))).version_id = built.latest.id
    await drafts.touch(tx, project_id, built, now)
    await tx.flush()
    await listen(tx, project_id, now)
    return await drafts.get_built(tx, project_id, flow_id)


async def archive(tx: AsyncSession, project_id: UUID, flow_id: UUID, now: datetime, revision: int | None) -> BuiltFlow:
    """Takes a flow out of use: nothing starts it, its runs under way are cancelled. What it did stays to be read."""
    built = await drafts.locked(tx, project_id, flow_id, revision)
    if built.state == "archived":
        return built
    await _stop(tx, project_id, built, now, "archived", cancel_runs=True)
    (await drafts.touch(tx, project_id, built, now)).archived_at = now
    await tx.flush()
    return await drafts.get_built(tx, project_id, flow_id)


async def restore(tx: AsyncSession, project_id: UUID, flow_id: UUID, now: datetime, revision: int | None) -> BuiltFlow:
    """Takes an archived flow back, paused."""
    built = await drafts.locked(tx, project_id, flow_id, revision)
    if built.state != "archived":
        return built
    draft = await drafts.touch(tx, project_id, built, now)
    draft.archived_at = None
    await tx.flush()
    return await drafts.get_built(tx, project_id, flow_id)


async def _stop(
    tx: AsyncSession, project_id: UUID, built: BuiltFlow, now: datetime, why: str, *, cancel_runs: bool
) -> None:
    (await tx.get_one(Flow, (project_id, built.id))).version_id = None
    await tx.flush()
    if cancel_runs:
        await cancel_flow(tx, project_id, built.id, f"flow_{why}", now)
    await listen(tx, project_id, now)


def _not_archived(built: BuiltFlow) -> None:
    if built.state == "archived":
        raise Conflict(f"This flow is archived: take it back with POST /v1/flows/{built.id}/restore first.")
