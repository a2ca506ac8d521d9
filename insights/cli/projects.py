"""``whyleft projects``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from adapters.postgres.engine import Database
from insights.access import projects
from insights.access.origins import origin_of
from insights.cli.listing import Listing
from insights.cli.options import AsJson, DataDir
from insights.cli.session import project_named, with_database
from insights.cli.trouble import told
from insights.models import Project
from insights.settings import Settings

app = typer.Typer(help="Projects: each a tenant of its own.", no_args_is_help=True, rich_markup_mode="rich")

Name = Annotated[str, typer.Argument(help="The project's name.")]
Origins = Annotated[
    list[str] | None, typer.Option("--origin", help="Origin whose pages may report, https://shop.example. Repeatable.")
]


@app.command("list")
def list_(data_dir: DataDir = None, json: AsJson = False) -> None:
    """Show every project.

    Example: [bold]whyleft projects list[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> list[Project]:
            async with database.transaction(None) as tx:
                return list(await projects.list_projects(tx))

        found = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode({"projects": [_as_dict(project) for project in found]}).decode())
            return
        table = Listing("id", "name", "pages that may report", "state")
        for project in found:
            state = f"archived {project.archived_at:%Y-%m-%d}" if project.archived_at else ""
            table.add(str(project.id), project.name, " ".join(project.allowed_origins), state)
        empty = "There is no project: `whyleft projects create NAME` makes one."
        table.show(empty)


@app.command("create")
def create(name: Name, origin: Origins = None, data_dir: DataDir = None, json: AsJson = False) -> None:
    """Make a project.

    Example: [bold]whyleft projects create "Quiet Kettle" --origin https://shop.example[/bold]
    """
    with told():
        origins = [origin_of(text) for text in origin or []]

        async def command(database: Database, settings: Settings) -> Project:
            async with database.transaction(None) as tx:
                return await projects.make_project(tx, name, origins)

        _tell(with_database(data_dir, command), json, "is made")


@app.command("rename")
def rename(name: Name, new_name: Annotated[str, typer.Argument()], data_dir: DataDir = None) -> None:
    """Give a project another name. Keys and data stay.

    Example: [bold]whyleft projects rename shop "Quiet Kettle"[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> Project:
            found = await project_named(database, name)
            async with database.transaction(found.id) as tx:
                return await projects.change_project(tx, found.id, name=new_name)

        _tell(with_database(data_dir, command), False, "is its name now")


@app.command("archive")
def archive(name: Name, data_dir: DataDir = None) -> None:
    """Close a project: keys open nothing, flows are paused, waiting runs are cancelled. Nothing is deleted.

    Example: [bold]whyleft projects archive shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> Project:
            found = await project_named(database, name)
            return await projects.archive_project(database, found.id, datetime.now(UTC))

        _tell(with_database(data_dir, command), False, "is archived")


@app.command("restore")
def restore(name: Name, data_dir: DataDir = None) -> None:
    """Open an archived project again. Its flows stay paused.

    Example: [bold]whyleft projects restore shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> Project:
            return await projects.restore_project(database, (await project_named(database, name)).id)

        _tell(with_database(data_dir, command), False, "is open again; its flows are paused")


def _tell(project: Project, json: bool, said: str) -> None:
    typer.echo(msgspec.json.encode(_as_dict(project)).decode() if json else f"{project.name} {said}.")


def _as_dict(project: Project) -> dict[str, object]:
    names = ("id", "name", "allowed_origins", "created_at", "archived_at")
    return {name: getattr(project, name) for name in names}
