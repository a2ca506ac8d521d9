"""``whyleft demo``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from insights import logs
from insights.cli.options import DataDir
from insights.cli.trouble import screen, told
from insights.demo.outcome import Outcome
from insights.demo.run import Demo, Ports
from insights.serving import loop
from insights.settings import Settings
from insights.wiring.database import open_database


def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the visitors, print what came of them, end.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the outcome as one JSON object on the last line.")
    ] = False,
    visitors: Annotated[int, typer.Option(help="How often each of the stories is played.", min=1, max=100)] = 2,
    port: Annotated[int | None, typer.Option(help="Port of the API and viewer.", min=0, max=65535)] = None,
    shop_port: Annotated[int | None, typer.Option(help="Port of the shop.", min=0, max=65535)] = None,
    inbox_port: Annotated[int | None, typer.Option(help="Port of the inbox page.", min=0, max=65535)] = None,
    smtp_port: Annotated[int | None, typer.Option(help="Port of the inbox's mail server.", min=0, max=65535)] = None,
    data_dir: DataDir = None,
) -> None:
    """Run the whole loop on this machine: shop, API, worker, viewer, inbox, simulated visitors.

    Without --once it keeps running and prints the addresses. With --once every port is any free one.

    Example: [bold]whyleft demo --once --json[/bold]
    """
    with told():
        settings = Settings.from_environment(data_dir=data_dir, log_level="warning")
        logs.configure(settings)
        free = 0 if once else None
        ports = Ports(
            api=_first(port, free, 8321),
            shop=_first(shop_port, free, 8322),
            inbox=_first(inbox_port, free, 8323),
            smtp=_first(smtp_port, free, 8325),
        )

        def report(outcome: Outcome) -> None:
            _print(outcome)
            if json:
                typer.echo(msgspec.json.encode(asdict(outcome)).decode())

        screen.print("Starting PostgreSQL …" if not settings.database_url else "Connecting to PostgreSQL …")
        with open_database(settings) as urls:
            running = Demo(settings, urls, ports, screen)

            async def main(stop: asyncio.Event) -> None:
                await running.run(stop, once=once, report=report, repeats=visitors)

            loop.run(main)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _print(outcome: Outcome) -> None:
    table = Table("story", "reason found", "as expected")
    for story in sorted(outcome.stories, key=lambda story: story["story"]):
        table.add_row(story["story"], story["got"], "yes" if story["got"] == story["expected"] else story["expected"])
    screen.print(table)
    sent = ", ".join(f"{count} {channel}" for channel, count in outcome.deliveries.items()) or "nothing"
    shown = ", ".join(f"{count} {action}" for action, count in outcome.decisions.items()) or "none"
    screen.print(
        f"{outcome.sessions} sessions explained, {outcome.as_expected} as expected. "
        f"Decisions: {shown}. {outcome.runs} flow runs, delivered: {sent}."
    )
