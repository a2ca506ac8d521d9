"""``whyleft flows``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

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
from flows.store import PublishedFlow, list_flows
from insights.cli.rejected import ProjectName
from insights.cli.serve import DataDir
from insights.cli.session import project_named, with_database
from insights.cli.trouble import told
from insights.recovery.publish import publish_starter_flows
from insights.settings import Settings

app = typer.Typer(help="Recovery flows of a project.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("list")
def list_(project: ProjectName, data_dir: DataDir = None) -> None:
    """Show the published flows.

    Example: [bold]whyleft flows list --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> list[PublishedFlow]:
            identifier = (await project_named(database, project)).id
            async with database.transaction(identifier) as tx:
                return await list_flows(tx, identifier)

        found = with_database(data_dir, command)
        table = Table("flow", "version", "starts on", "runs")
        for flow in found:
            table.add_row(flow.name, str(flow.number), _starts_on(flow.definition.trigger), str(flow.runs))
        empty = "No flow is published: `whyleft flows starter` publishes one for each reason."
        Console(highlight=False, markup=False).print(table if found else empty)


def _starts_on(trigger: Trigger) -> str:
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


@app.command("starter")
def starter(
    project: ProjectName,
    wait_scale: Annotated[
        float, typer.Option(help="Multiplies every wait: 0.001 to try flows out.", min=0.0001, max=1)
    ] = 1.0,
    data_dir: DataDir = None,
) -> None:
    """Publish the starter flows, one for each reason: from now on they send.

    Example: [bold]whyleft flows starter --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> int:
            identifier = (await project_named(database, project)).id
            async with database.transaction(identifier) as tx:
                return await publish_starter_flows(tx, identifier, datetime.now(UTC), wait_scale=wait_scale)

        typer.echo(f"{with_database(data_dir, command)} flows are published.")
