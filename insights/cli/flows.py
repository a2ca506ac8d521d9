"""``whyleft flows``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from flows.definition import (
    ApiTrigger,
    EventTrigger,
    InsightTrigger,
    PatternTrigger,
    ScheduleTrigger,
    SegmentTrigger,
    Trigger,
)
from flows.errors import FlowInvalid
from insights.building import drafts, publishing
from insights.building.bundle import bundle, flow_in, read_in
from insights.building.drafts import BuiltFlow
from insights.building.reading import read
from insights.cli.listing import Listing
from insights.cli.options import DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import told
from insights.errors import NotFound, Refused
from insights.recovery.publish import publish_starter_flows
from insights.settings import Settings

app = typer.Typer(help="Recovery flows of a project.", no_args_is_help=True, rich_markup_mode="rich")

File = Annotated[Path, typer.Argument(help="An exported flow, or a bare definition, as JSON.")]


@app.command("list")
def list_(
    project: ProjectName,
    archived: Annotated[bool, typer.Option("--archived", help="The archived ones as well.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Show the flows.

    Example: [bold]whyleft flows list --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> list[tuple[BuiltFlow, int]]:
            identifier = (await project_named(database, project)).id
            async with database.transaction(identifier) as tx:
                runs = await drafts.runs_of_flows(tx, identifier)
                found = await drafts.list_built(tx, identifier, archived=archived)
            return [(flow, runs.get(flow.id, (0, 0))[0]) for flow in found]

        found = with_database(data_dir, command)
        table = Listing("flow", "state", "version", "starts on", "runs")
        for flow, runs in found:
            version = str(flow.live.number) if flow.live is not None else "-"
            edited = " (edited)" if flow.changed and flow.latest is not None else ""
            table.add(flow.name, flow.state + edited, version, _starts_on(flow), str(runs))
        empty = "There is no flow: `whyleft flows starter` publishes one for each reason."
        table.show(empty)


@app.command("starter")
def starter(
    project: ProjectName,
    wait_scale: Annotated[
        float, typer.Option(help="Multiplies every wait: 0.001 to try flows out.", min=0.0001, max=1)
    ] = 1.0,
    data_dir: DataDir = None,
) -> None:
    """Publish the starter flows, one for each reason: from now on they send. Edited ones stay as they are.

    Example: [bold]whyleft flows starter --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> int:
            identifier = (await project_named(database, project)).id
            async with database.transaction(identifier) as tx:
                return await publish_starter_flows(
                    tx, identifier, datetime.now(UTC), wait_scale=wait_scale, keep_days=settings.keep_days
                )

        typer.echo(f"{with_database(data_dir, command)} flows are published.")


@app.command("export")
def export(
    project: ProjectName,
    name: Annotated[str, typer.Argument(help="The flow's name.")],
    data_dir: DataDir = None,
) -> None:
    """Write a flow's draft as one file to standard output.

    Example: [bold]whyleft flows export price_hesitation --project shop > flow.json[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> dict[str, Any]:
            identifier = (await project_named(database, project)).id
            async with database.transaction(identifier) as tx:
                return await bundle(tx, identifier, await _named(tx, identifier, name))

        typer.echo(json.dumps(with_database(data_dir, command), indent=2, ensure_ascii=False))


@app.command("import")
def import_(
    project: ProjectName,
    file: File,
    name: Annotated[str | None, typer.Option(help="The name it gets; without it, the one in the file.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish it: from now on it runs.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Read a flow out of a file: a new draft, or a change of the draft of the flow of that name.

    Example: [bold]whyleft flows import flow.json --project shop --publish[/bold]
    """
    with told():
        document = _document(file)
        definition = flow_in(document)
        if name is not None:
            definition = definition | {"name": name}

        async def command(database: Database, settings: Settings) -> BuiltFlow:
            identifier = (await project_named(database, project)).id
            async with database.transaction(identifier) as tx:
                now = datetime.now(UTC)
                wanted = drafts.name_of(definition)
                known = {flow.name: flow for flow in await drafts.list_built(tx, identifier, archived=True)}
                if wanted in known:
                    built = await drafts.save(tx, identifier, known[wanted].id, definition, now, None)
                else:
                    built = await read_in(tx, identifier, document, definition, now)
                if not publish:
                    return built
                return (await publishing.publish(tx, identifier, built.id, now, None, settings.keep_days))[0]

        built = with_database(data_dir, command)
        version = f", version {built.live.number}" if built.live is not None else ""
        typer.echo(f"{built.name} is {built.state}{version}.")


@app.command("validate")
def validate(project: ProjectName, file: File, data_dir: DataDir = None) -> None:
    """Say everything that is wrong with the flow in a file. Ends with 1 when something is.

    Example: [bold]whyleft flows validate flow.json --project shop[/bold]
    """
    with told():
        definition = flow_in(_document(file))

        async def command(database: Database, settings: Settings) -> None:
            identifier = (await project_named(database, project)).id
            async with database.transaction(identifier) as tx:
                _, faults = await publishing.check(tx, identifier, definition, settings.keep_days)
            if faults:
                raise FlowInvalid(faults)

        with_database(data_dir, command)
        typer.echo("Nothing is wrong with it.")


def _document(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise Refused(f"{file} is not JSON: {error}.") from None


async def _named(tx: AsyncSession, project_id: UUID, name: str) -> BuiltFlow:
    found = {flow.name: flow for flow in await drafts.list_built(tx, project_id, archived=True)}
    if name not in found:
        raise NotFound(f"There is no flow {name!r}. Flows: {', '.join(found) or 'none yet'}.")
    return found[name]


def _starts_on(flow: BuiltFlow) -> str:
    reading = read(flow.live.definition if flow.live is not None else flow.definition)
    return _trigger_words(reading.readable.trigger) if reading.readable is not None else ""


def _trigger_words(trigger: Trigger) -> str:
    """What starts a flow, in a few words."""
    match trigger:
        case InsightTrigger(reasons=reasons):
            return ", ".join(reasons) or "any insight"
        case EventTrigger(event=event, name=name):
            return f"event {name or event}"
        case SegmentTrigger(segment=segment, change=change):
            return f"{change} {segment}"
        case PatternTrigger(reasons=reasons):
            return f"pattern {', '.join(reasons)}".rstrip()
        case ScheduleTrigger(segment=segment, cron=cron):
            return f"{cron or 'every so often'}: {segment}"
        case ApiTrigger():
            return "API call"
