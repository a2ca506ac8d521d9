"""Decides how projects come and go: made, renamed, archived with everything they do stopped, restored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from flows.models import Flow
from flows.triggers import cancel_flow
from flows.watching import listen
from insights.access.keys import tell_processes
from insights.errors import InUse, NotFound, Refused
from insights.models import Project
from insights.vocabulary.ids import uuid7
from insights.vocabulary.joiners import is_one_line

LONGEST_NAME: Final = 80


async def list_projects(tx: AsyncSession, *, archived: bool = True) -> Sequence[Project]:
    """Every project by name; without the archived ones if ``archived`` is false."""
    asked = select(Project).order_by(Project.name)
    return (await tx.scalars(asked if archived else asked.where(Project.archived_at.is_(None)))).all()


async def project_of(tx: AsyncSession, project_id: UUID, *, lock: bool = False) -> Project:
    """One project. Raises NotFound."""
    asked = select(Project).where(Project.id == project_id)
    found = await tx.scalar(asked.with_for_update() if lock else asked)
    if found is None:
        raise NotFound(f"There is no project {project_id}.")
    return found


async def make_project(tx: AsyncSession, name: str, origins: Sequence[str] = ()) -> Project:
    """A new project without keys. Raises Refused and InUse."""
    project = Project(id=uuid7(), name=await _free(tx, name, None), allowed_origins=sorted(set(origins)))
    tx.add(project)
    await tx.flush()
    await tx.refresh(project)
    return project


async def change_project(
    tx: AsyncSession, project_id: UUID, *, name: str | None = None, origins: Sequence[str] | None = None
) -> Project:
    """Another name, or other pages that may report; None leaves it. Raises NotFound, Refused and InUse."""
    project = await project_of(tx, project_id, lock=True)
    if name is not None:
        project.name = await _free(tx, name, project_id)
    if origins is not None:
        project.allowed_origins = sorted(set(origins))
    await tx.flush()
    await tell_processes(tx, project_id)
    return project


async def archive_project(database: Database, project_id: UUID, now: datetime) -> Project:
    """Closes a project: its keys and its members' logins open nothing, its flows are paused, what waited is cancelled.

    Nothing is deleted. Again changes nothing. Raises NotFound.
    """
    async with database.transaction(project_id) as tx:
        project = await project_of(tx, project_id, lock=True)
        if project.archived_at is None:
            project.archived_at = now
            for flow in await tx.scalars(select(Flow).where(Flow.project_id == project_id)):
                flow.version_id = None
                await cancel_flow(tx, project_id, flow.id, "the project was archived", now)
            await tx.flush()
            await listen(tx, project_id, now)
            await tell_processes(tx, project_id)
        return project


async def restore_project(database: Database, project_id: UUID) -> Project:
    """Opens an archived project again. Its flows stay paused. Raises NotFound."""
    async with database.transaction(project_id) as tx:
        project = await project_of(tx, project_id, lock=True)
        project.archived_at = None
        await tell_processes(tx, project_id)
        return project


async def _free(tx: AsyncSession, name: str, own: UUID | None) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not is_one_line(name):
        raise Refused(f"name: a project's name has 1 to {LONGEST_NAME} characters on one line.", field="name")
    taken = await tx.scalar(select(Project.id).where(Project.name == name))
    if taken is not None and taken != own:
        raise InUse(f"There is a project {name!r} already. Choose another name.", field="name")
    return name
