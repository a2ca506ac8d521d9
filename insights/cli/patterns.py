"""``whyleft patterns``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from adapters.postgres.engine import Database
from insights.cli.options import DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import told
from insights.models import Pattern
from insights.patterns.look import Looked
from insights.patterns.read import patterns_before
from insights.patterns.tell import facts_of
from insights.patterns.words import headline
from insights.settings import Settings
from insights.wiring.classifiers import looker_of


def patterns(
    project: ProjectName,
    hours: Annotated[int | None, typer.Option(help="What counts as now: the last hours.", min=4, max=336)] = None,
    last: Annotated[int | None, typer.Option(help="Or the last so many sessions.", min=30, max=100_000)] = None,
    look: Annotated[bool, typer.Option(help="Look now; otherwise only list what was found.")] = True,
    data_dir: DataDir = None,
) -> None:
    """Look for changes in why visitors leave or buy, and list what was found.

    Example: [bold]whyleft patterns --project shop --hours 24[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> tuple[Looked | None, list[Pattern]]:
            project_id = (await project_named(database, project)).id
            looked = None
            if look:
                looker, classifiers = looker_of(settings, database)
                try:
                    looked = await looker.look(project_id, hours=hours, last=last)
                finally:
                    await classifiers.close()
            async with database.transaction(project_id) as tx:
                return looked, list(await patterns_before(tx, project_id, 20))

        looked, rows = with_database(data_dir, command)
        console = Console(highlight=False, markup=False)
        if looked is not None:
            console.print(
                f"Looked at {looked.sessions:,} sessions in {looked.cells} cells: {len(looked.found)} new, "
                f"{looked.ended} over."
            )
        elif look:
            console.print("Somebody else is looking just now.")
        for row in rows:
            state = "goes on" if row.ended_at is None else f"over ({row.end_reason})"
            console.print(f"\n{row.found_at:%Y-%m-%d %H:%M} UTC · {state} · {headline(facts_of(row))}")
            console.print(row.narrative)
        if not rows:
            console.print("No change was found so far. A cell needs 100 sessions before and 30 now.")
