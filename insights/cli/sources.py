"""``whyleft sources``: who may report by webhook."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
import typer

from adapters.postgres.engine import Database
from insights.cli.listing import Listing
from insights.cli.options import AsJson, DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import screen, told
from insights.settings import Settings
from insights.sources.store import NewSource, Source, create_source, list_sources, revoke_source
from insights.wiring.secrets import sealer

app = typer.Typer(help="Who may report by webhook.", no_args_is_help=True, rich_markup_mode="rich")


class ProviderName(StrEnum):
    """Whose way of signing."""

    SHOPIFY = "shopify"
    KLAVIYO = "klaviyo"
    BRAZE = "braze"
    GENERIC = "generic"


@app.command("create")
def create(
    project: ProjectName,
    provider: Annotated[ProviderName, typer.Option(help="Whose way of signing; generic is Standard Webhooks.")],
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret they sign with from standard input.")
    ] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Let somebody report; prints where they post to. Without a secret of theirs one is made and shown this once.

    Example: [bold]whyleft sources create --project shop --provider shopify --secret-stdin < secret.txt[/bold]
    """
    with told():
        secret = sys.stdin.readline().strip() if secret_stdin else None

        async def command(database: Database, settings: Settings) -> tuple[NewSource, str]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                made = await create_source(
                    tx, sealer(settings), found.id, provider.value, name or provider.value, secret
                )
            return made, settings.public_url.rstrip("/") + made.source.path

        made, url = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode({"id": made.source.id, "url": url, "secret": made.secret}).decode())
            return
        typer.echo(url)
        if made.secret is not None:
            screen.print("They sign with this secret, shown this once:")
            typer.echo(made.secret)


@app.command("list")
def list_(project: ProjectName, data_dir: DataDir = None, json: AsJson = False) -> None:
    """Show who may report, and where to.

    Example: [bold]whyleft sources list --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> tuple[list[Source], str]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                return await list_sources(tx, found.id), settings.public_url.rstrip("/")

        sources, base = with_database(data_dir, command)
        if json:
            rows = [
                {"id": s.id, "provider": s.provider, "name": s.name, "url": base + s.path, "revoked_at": s.revoked_at}
                for s in sources
            ]
            typer.echo(msgspec.json.encode({"sources": rows}).decode())
            return
        table = Listing("id", "provider", "name", "posts to", "revoked")
        for source in sources:
            revoked = f"{source.revoked_at:%Y-%m-%d}" if source.revoked_at else ""
            table.add(str(source.id), source.provider, source.name, base + source.path, revoked)
        table.show("Nobody may report yet.")


@app.command("revoke")
def revoke(
    project: ProjectName, source: Annotated[UUID, typer.Argument(help="Its id.")], data_dir: DataDir = None
) -> None:
    """Take nothing more from a source.

    Example: [bold]whyleft sources revoke --project shop 0190a1b2-…[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> None:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                await revoke_source(tx, found.id, source)

        with_database(data_dir, command)
        typer.echo("Revoked.")
