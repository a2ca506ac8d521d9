"""``whyleft channels``: what goes out how, set up and tested."""

from __future__ import annotations

import json as json_module
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from adapters.channels.kinds import KINDS
from adapters.postgres.engine import Database
from insights.channels import store
from insights.channels.trial import Trial, send_test
from insights.cli.listing import Listing
from insights.cli.options import AsJson, DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import screen, told
from insights.errors import Refused
from insights.models import ChannelSetup
from insights.settings import Settings
from insights.wiring.channels import channels_of
from insights.wiring.secrets import sealer

app = typer.Typer(help="Channels of a project.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("kinds")
def kinds() -> None:
    """Show what channels there can be and what each needs."""
    table = Listing("kind", "what", "word in flows", "settings", "credentials")
    for name, kind in sorted(KINDS.items()):
        fields = (", ".join(model.model_fields) for model in (kind.settings_model, kind.credentials_model))
        table.add(name, kind.title, kind.word, *fields)
    table.show("There is none.")


@app.command("create")
def create(
    project: ProjectName,
    kind: Annotated[str, typer.Option(help="One of `whyleft channels kinds`.")],
    name: Annotated[str, typer.Option(help="What to call it: lower-case letters, digits, - and _.")],
    settings: Annotated[str, typer.Option(help="Its settings as a JSON object.")] = "{}",
    data_dir: DataDir = None,
) -> None:
    """Set a channel up; its credentials are read as a JSON object from standard input.

    Example: [bold]whyleft channels create --project shop --kind resend --name main
    --settings '{"sender": "Shop <mail@shop.example>"}' < credentials.json[/bold]
    """
    with told():
        wanted = store.Wanted(_object("--settings", settings), _object("standard input", sys.stdin.read()))

        async def command(database: Database, found: Settings) -> ChannelSetup:
            row = await project_named(database, project)
            async with database.transaction(row.id) as tx:
                return await store.create(tx, sealer(found), row.id, kind, name, wanted, datetime.now(UTC))

        made = with_database(data_dir, command)
        typer.echo(str(made.id))
        screen.print(f"Now test it: whyleft channels test {made.name} --project {project} --to …", markup=False)


@app.command("list")
def list_(project: ProjectName, data_dir: DataDir = None, json: AsJson = False) -> None:
    """Show a project's channels, how they fare and what they complained of last.

    Example: [bold]whyleft channels list --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> tuple[list[ChannelSetup], list[str]]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                return await store.listed(tx, found.id), sorted(channels_of(settings).servers)

        rows, servers = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode({"channels": [_as_dict(row) for row in rows], "servers": servers}).decode())
            return
        table = Listing("name", "kind", "word", "state", "last ok", "last error")
        for row in rows:
            well = f"{row.last_ok_at:%Y-%m-%d %H:%M}" if row.last_ok_at else "never"
            table.add(row.name, row.kind, row.word, _state(row), well, row.last_error or "")
        for word in servers:
            table.add(word, "of the server", word, "on", "", "")
        table.show("This project has no channel.")


@app.command("test")
def test(
    name: Annotated[str, typer.Argument(help="The channel's name; for the server's own its word, such as email.")],
    project: ProjectName,
    to: Annotated[str | None, typer.Option(help="Your own address or number.")] = None,
    content: Annotated[str | None, typer.Option(help="A JSON object in place of the sample.")] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Send one to yourself and explain the answer; exit status 1 when it was not accepted.

    Example: [bold]whyleft channels test main --project shop --to you@shop.example[/bold]
    """
    with told():
        said = None if content is None else _object("--content", content)

        async def command(database: Database, settings: Settings) -> Trial:
            found = await project_named(database, project)
            return await send_test(database, channels_of(settings), found.id, name, to, datetime.now(UTC), content=said)

        trial = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode(trial).decode())
        else:
            Console(highlight=False, markup=False).print(f"{trial.result}: {trial.said}\n{trial.todo}")
        raise typer.Exit(0 if trial.good else 1)


def _object(where: str, text: str) -> dict[str, Any]:
    """A JSON object. Raises Refused, without repeating what was given."""
    try:
        found = json_module.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(f"{where} is no JSON object.", field=where)
    return found


def _as_dict(row: ChannelSetup) -> dict[str, object]:
    names = "id kind word name settings enabled last_ok_at last_error_at last_error failures"
    return {name: getattr(row, name) for name in names.split()}


def _state(row: ChannelSetup) -> str:
    if not row.enabled:
        return "off"
    return "on" if not row.failures else f"failing ({row.failures} in a row)"
