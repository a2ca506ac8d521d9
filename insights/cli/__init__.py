"""The ``whyleft`` command."""

from __future__ import annotations

import sys

import typer

from insights.cli import (
    api,
    channels,
    demo,
    evaluate,
    flows,
    gold,
    keys,
    members,
    partitions,
    privacy,
    projects,
    rejected,
    serve,
    settings,
    sources,
    train,
    worker,
)
from insights.cli.audit import audit
from insights.cli.backfill import backfill
from insights.cli.patterns import patterns
from insights.cli.replay import replay
from insights.cli.trouble import told

app = typer.Typer(
    name="whyleft",
    help="Why each visitor of a web shop left or bought, what to do meanwhile, and how to win them back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("api")(api.api)
app.command("worker")(worker.worker)
app.command("migrate")(serve.migrate)
app.command("replay")(replay)
app.command("audit")(audit)
app.command("eval")(evaluate.evaluate)
app.command("backfill")(backfill)
app.command("patterns")(patterns)
app.command("settings")(settings.settings)
app.add_typer(members.app, name="members")
app.add_typer(projects.app, name="projects")
app.add_typer(keys.app, name="keys")
app.add_typer(channels.app, name="channels")
app.add_typer(flows.app, name="flows")
app.add_typer(rejected.app, name="rejected")
app.add_typer(partitions.app, name="partitions")
app.add_typer(privacy.app, name="privacy")
app.add_typer(gold.app, name="gold")
app.add_typer(sources.app, name="sources")
app.add_typer(train.app, name="train")


def main() -> None:
    """Entry point. What can go wrong for a user ends as one sentence and exit code 1."""
    with told():
        sys.exit(app())
