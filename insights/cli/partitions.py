"""``whyleft partitions``: how much of each day's events there is, and dropping old days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters.postgres.partitions import FEWEST_DAYS, drop_before, kept_since, outside, partitions, today
from insights.cli.options import DataDir
from insights.cli.trouble import told
from insights.settings import Settings
from insights.wiring.database import shared_database

app = typer.Typer(help="Events by the day: list them, drop old ones.", no_args_is_help=True)
screen = Console()


@app.command("list")
def show(data_dir: DataDir = None) -> None:
    """List the days with their size, and what stands outside of them: imported events of days that are long past.

    Example: [bold]whyleft partitions list[/bold]
    """
    with told():
        table = Table("day", "events (about)", "MB", box=None)
        owner = shared_database(Settings.from_environment(data_dir=data_dir)).owner
        for partition in partitions(owner):
            table.add_row(str(partition.day), f"{partition.rows:,}", f"{partition.bytes / 2**20:,.1f}")
        rows, size = outside(owner)
        table.add_row("other days", f"{rows:,}", f"{size / 2**20:,.1f}")
        screen.print(table)


@app.command()
def drop(
    keep_days: Annotated[int, typer.Option(help="How many days before today are kept.", min=FEWEST_DAYS)],
    data_dir: DataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Drop the events of sessions that began before the days that are kept. Insights and reports stay.

    It needs the owner of the database: run it from cron where WHYLEFT_OWNER_DATABASE_URL is known.

    Example: [bold]whyleft partitions drop --keep-days 90[/bold]
    """
    with told():
        owner = shared_database(Settings.from_environment(data_dir=data_dir)).owner
        first = kept_since(today(owner, datetime.now(UTC)), keep_days)
        if dry_run:
            old = [partition for partition in partitions(owner) if partition.day < first]
        else:
            old = drop_before(owner, first)
        freed = sum(partition.bytes for partition in old) / 2**20
        verb = "would go" if dry_run else "are gone"
        screen.print(f"{len(old)} days before {first} {verb}, {freed:,.1f} MB.")
