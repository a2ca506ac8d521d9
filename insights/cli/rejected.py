"""``whyleft rejected``: the events that could not be accepted."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
import typer

from adapters.postgres.engine import Database
from insights.cli.listing import Listing
from insights.cli.options import AsJson, DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import told
from insights.events.record import Recorder
from insights.events.rejected import list_rejected, replay_rejected
from insights.models import RejectedEvent
from insights.profiles.in_memory import ProfilesInMemory
from insights.settings import Settings
from insights.wiring.bounds import event_limits, session_times
from insights.wiring.intake import reception

app = typer.Typer(help="Events that could not be accepted.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("list")
def list_(
    project: ProjectName,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Show rejected events, newest first, each with its reason.

    Example: [bold]whyleft rejected list --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> list[RejectedEvent]:
            return await list_rejected(database, (await project_named(database, project)).id, limit)

        rows = with_database(data_dir, command)
        if json:
            found = [
                {"id": row.id, "received_at": row.received_at, "error": row.error, "event": row.raw.decode()}
                for row in rows
            ]
            typer.echo(msgspec.json.encode({"rejected": found}).decode())
            return
        table = Listing("received", "reason", "event")
        for row in rows:
            table.add(f"{row.received_at:%Y-%m-%d %H:%M:%S}", row.error, row.raw.decode()[:200])
        table.show("Nothing was rejected.")


@app.command("replay")
def replay(project: ProjectName, data_dir: DataDir = None, json: AsJson = False) -> None:
    """Try rejected events again, once their cause is mended.

    Example: [bold]whyleft rejected replay --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> Counter[str]:
            recorder = Recorder(database, times=session_times(settings), max_queued=settings.max_queued_events)
            recorder.start()
            counts: Counter[str] = Counter(stored=0, rejected=0)
            identifier = (await project_named(database, project)).id
            way_in = reception(settings, database, recorder, ProfilesInMemory())
            async for outcome in replay_rejected(database, recorder, way_in, identifier, event_limits(settings)):
                counts["stored" if outcome.error is None else "rejected"] += 1
            await recorder.stop()
            return counts

        counts = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode(dict(counts)).decode())
        else:
            typer.echo(f"{counts['stored']} stored, {counts['rejected']} rejected again.")
