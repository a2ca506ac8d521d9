"""The commands there are, each loaded when it is asked for: a short one must not wait for what others import."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup


class Command(NamedTuple):
    """Where a command is found, and the line that the list of commands has for it.

    ``source``: module:name of a function or of a Typer of several.
    """

    source: str
    summary: str

    def load(self, name: str) -> Any:
        """The command itself, as Typer runs it."""
        module, _, attribute = self.source.partition(":")
        found = getattr(import_module(f"insights.cli.{module}"), attribute)
        group = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
        if isinstance(found, typer.Typer):
            group.add_typer(found, name=name)
        else:
            group.command(name)(found)
        return typer.main.get_group(group).commands[name]


COMMANDS = {
    "demo": Command(
        "demo:demo", "Run the whole loop on this machine: shop, API, worker, viewer, inbox, simulated visitors."
    ),
    "serve": Command("serve:serve", "Run everything in one process: the API, the viewer under /app, the worker."),
    "api": Command(
        "api:api", "Run the API and the viewer, without background work, any number of times on one database."
    ),
    "worker": Command(
        "worker:worker", "Close sessions, run flows and keep house, any number of times on one database."
    ),
    "migrate": Command("migrate:migrate", "Bring the database's schema up to date (serve does it too)."),
    "replay": Command(
        "replay:replay", "Stream a recorded click log through the API, in event-time order, and close its sessions."
    ),
    "audit": Command(
        "audit:audit",
        "Find out from an export of past events where visits are lost, and how much money that may be.",
    ),
    "eval": Command("evaluate:evaluate", "Measure who names the reasons: a model of yours, or the evidence rules."),
    "backfill": Command(
        "backfill:backfill",
        "Name the reasons of past visits again, with the model or rules of today. Starts no flow.",
    ),
    "patterns": Command("patterns:patterns", "Look for changes in why visitors leave or buy, and list what was found."),
    "settings": Command("settings:settings", "Show every setting: environment variable, value in force, what it does."),
    "members": Command("members:app", "People who may look into projects."),
    "projects": Command("projects:app", "Projects: each a tenant of its own."),
    "keys": Command("keys:app", "Keys of a project."),
    "channels": Command("channels:app", "Channels of a project."),
    "flows": Command("flows:app", "Recovery flows of a project."),
    "rejected": Command("rejected:app", "Events that could not be accepted."),
    "partitions": Command("partitions:app", "Events by the day: list them, drop old ones."),
    "privacy": Command("privacy:app", "Erase and export people, and the keys that seal them."),
    "gold": Command("gold:app", "Visits whose reason a person has named."),
    "sources": Command("sources:app", "Who may report by webhook."),
    "train": Command("train:app", "Learn from the stored sessions."),
}


def placeholder() -> None:
    """Stands in the list of commands for one that was not asked for."""


class Commands(TyperGroup):
    """A group that shows what ``COMMANDS`` says and runs what it names."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Typer's, with the command itself in its placeholder's room."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, COMMANDS[name].load(name) if name in COMMANDS else command, rest
