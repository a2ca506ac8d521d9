"""The ``whyleft`` command."""

from __future__ import annotations

import gc
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from insights.cli.commands import COMMANDS, Commands, placeholder
from insights.cli.trouble import told

# What a command imports stays to its end. Looked through as often as by default, that was a seventh of the time that a
# server took to start.
gc.set_threshold(100_000)

app = typer.Typer(
    name="whyleft",
    cls=Commands,
    help="Why each visitor of a web shop left or bought, what to do meanwhile, and how to win them back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _name, _command in COMMANDS.items():
    app.command(_name, help=_command.summary)(placeholder)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"whyleft {version('whyleft')}")
        raise typer.Exit


@app.callback()
def whyleft(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """What every command shares."""


def main() -> None:
    """Entry point. What can go wrong for a user ends as one sentence and exit code 1."""
    with told():
        sys.exit(app())
