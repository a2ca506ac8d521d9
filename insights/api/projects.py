"""Projects over HTTP: its own for each key, all of them for the server's operator."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from insights.access import projects
from insights.access.origins import origin_of
from insights.api.caller import OperatorCaller, SecretCaller
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.models import Project

router = APIRouter(prefix="/v1", tags=["access"])


class ProjectIn(StoredBody):
    """A project to make. ``allowed_origins``: pages whose browsers may report, such as https://shop.example."""

    name: str = Field(min_length=1, max_length=projects.LONGEST_NAME)
    allowed_origins: list[str] = Field(default_factory=list, max_length=200)


class ProjectChange(StoredBody):
    """What is to be different; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=projects.LONGEST_NAME)
    allowed_origins: list[str] | None = Field(None, max_length=200)


class ProjectOut(BaseModel):
    """A project. An archived one keeps what it has, and its keys open nothing."""

    id: UUID
    name: str
    allowed_origins: list[str]
    created_at: datetime
    archived_at: datetime | None


class ProjectList(BaseModel):
    """Every project by name."""

    projects: list[ProjectOut]


@router.get("/project", response_model=ProjectOut)
async def get_own(caller: SecretCaller, services: FromRequest) -> ProjectOut:
    """The project of the key that asks."""
    async with services.database.transaction(caller.project_id) as tx:
        return _out(await projects.project_of(tx, caller.project_id))


@router.patch("/project", response_model=ProjectOut)
async def change_own(body: ProjectChange, caller: SecretCaller, services: FromRequest) -> ProjectOut:
    """Renames the project, or changes whose pages may report. It holds in every process at once."""
    return await _change(services, caller.project_id, body)


@router.get("/projects", response_model=ProjectList)
async def list_projects(caller: OperatorCaller, services: FromRequest) -> ProjectList:
    """Every project, archived ones too."""
    async with services.database.transaction(None) as tx:
        return ProjectList(projects=[_out(project) for project in await projects.list_projects(tx)])


@router.post("/projects", response_model=ProjectOut, status_code=201)
async def create_project(body: ProjectIn, caller: OperatorCaller, services: FromRequest) -> ProjectOut:
    """A new project. `whyleft keys create` or an invited admin makes its keys."""
    async with services.database.transaction(None) as tx:
        return _out(await projects.make_project(tx, body.name, _origins(body.allowed_origins)))


@router.patch("/projects/{project_id}", response_model=ProjectOut)
async def change_project(
    project_id: UUID, body: ProjectChange, caller: OperatorCaller, services: FromRequest
) -> ProjectOut:
    """Renames a project, or changes whose pages may report."""
    return await _change(services, project_id, body)


@router.post("/projects/{project_id}/archive", response_model=ProjectOut)
async def archive_project(project_id: UUID, caller: OperatorCaller, services: FromRequest) -> ProjectOut:
    """Closes a project: its keys open nothing, its flows are paused, what waited is cancelled. Nothing is deleted."""
    return _out(await projects.archive_project(services.database, project_id, datetime.now(UTC)))


@router.post("/projects/{project_id}/restore", response_model=ProjectOut)
async def restore_project(project_id: UUID, caller: OperatorCaller, services: FromRequest) -> ProjectOut:
    """Opens an archived project again. Its flows stay paused until somebody resumes them."""
    return _out(await projects.restore_project(services.database, project_id))


async def _change(services: FromRequest, project_id: UUID, body: ProjectChange) -> ProjectOut:
    origins = None if body.allowed_origins is None else _origins(body.allowed_origins)
    async with services.database.transaction(project_id) as tx:
        return _out(await projects.change_project(tx, project_id, name=body.name, origins=origins))


def _origins(texts: list[str]) -> list[str]:
    return [origin_of(text) for text in texts]


def _out(project: Project) -> ProjectOut:
    return ProjectOut.model_validate(project, from_attributes=True)
