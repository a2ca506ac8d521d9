"""``whyleft keys``."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer

from adapters.postgres.engine import Database
from insights.access.keys import NewKey, create_key
from insights.cli.serve import DataDir
from insights.cli.session import with_database
from insights.cli.trouble import screen, told
from insights.errors import Refused
from insights.settings import Settings

app = typer.Typer(help="Keys of a project.", no_args_is_help=True, rich_markup_mode="rich")


class Kind(StrEnum):
    """What a key may do."""

    WRITE = "write"
    SECRET = "secret"  # noqa: S105


@app.callback()
def _keys() -> None:
    """Keys of a project."""


@app.command("create")
def create(
    project: Annotated[str, typer.Option(help="The project's name; made if there is none.")],
    kind: Annotated[Kind, typer.Option(help="write: stands in pages. secret: everything else.")],
    origin: Annotated[
        list[str] | None, typer.Option(help="Origin whose pages may report, https://shop.example. Repeatable.")
    ] = None,
    data_dir: DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a key and print it: it is shown this once.

    Example: [bold]whyleft keys create --project shop --kind write --origin https://shop.example --json[/bold]
    """
    with told():
        origins = [_origin(text) for text in origin or []]

        async def command(database: Database, settings: Settings) -> NewKey:
            return await create_key(database, project, kind.value, origins)

        made = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode(dataclasses.asdict(made)).decode())
            return
        typer.echo(made.key)
        if kind is Kind.WRITE:
            screen.print("Put this into the pages of the shop:")
            screen.print(f'  <script async src="https://YOUR-SERVER/sdk/whyleft.js" data-key="{made.key}"></script>')
            if not origins:
                screen.print("No --origin was given: browsers may not report with it unless one was allowed before.")


def _origin(text: str) -> str:
    """An origin as browsers send it. Raises Refused."""
    # Pages in a sandbox (Shopify's pixels) say "null" of themselves.
    if text in ("*", "null"):
        return text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/") or parts.query or "@" in text:
        raise Refused(
            f"--origin {text!r} is not an origin: write https://shop.example, without a path.", field="origin"
        )
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}"
