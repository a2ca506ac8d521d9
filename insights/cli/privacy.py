"""``whyleft privacy``: erases somebody at once, hands over what is stored, seals anew after a change of keys."""

from __future__ import annotations

import json as json_module
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from sqlalchemy import select

from adapters.postgres.engine import Database
from adapters.postgres.reseal import personal_columns, reseal
from insights.cli.options import DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import told
from insights.errors import Refused
from insights.models import PrivacyRequest, Project
from insights.privacy import requests
from insights.privacy.export import export_visitors
from insights.privacy.person import Asked, visitors_asked_for
from insights.privacy.restored import Again, Gone, ask_again, list_erased, read_list
from insights.privacy.retention import retain
from insights.settings import Settings
from insights.wiring.secrets import lost_keys

app = typer.Typer(help="Erase and export people, and the keys that seal them.", no_args_is_help=True)
screen = Console()

Visitor = Annotated[UUID | None, typer.Option(help="One of their visitor ids.")]
Email = Annotated[str, typer.Option(help="Their e-mail address.")]
UserId = Annotated[str, typer.Option(help="What your shop calls them.")]
Phone = Annotated[str, typer.Option(help="Their phone number.")]


@app.command()
def erase(
    project: ProjectName,
    email: Email = "",
    user_id: UserId = "",
    phone: Phone = "",
    visitor: Visitor = None,
    data_dir: DataDir = None,
) -> None:
    """Erase somebody on all their devices, now.

    Example: [bold]whyleft privacy erase --project shop --email ada@example.org[/bold]
    """
    with told():
        who = _who(email, user_id, phone, visitor)

        async def command(database: Database, settings: Settings) -> dict[str, Any]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                asked = await requests.ask(tx, found.id, "erase_person", who, "the operator", datetime.now(UTC))
            await requests.carry_out(database, lambda project_id, visitor_id: None)
            async with database.transaction(found.id) as tx:
                row = await tx.get_one(PrivacyRequest, (found.id, asked))
                return row.outcome

        outcome = with_database(data_dir, command)
        rows = ", ".join(f"{count} of {name}" for name, count in outcome.items()) or "nothing: nobody of that name"
        screen.print(f"Erased {rows}.")
        screen.print("A worker asks connected providers, too: GET /v1/privacy/requests says what each answered.")


@app.command()
def export(
    project: ProjectName,
    email: Email = "",
    user_id: UserId = "",
    phone: Phone = "",
    visitor: Visitor = None,
    data_dir: DataDir = None,
) -> None:
    """Print everything that is stored of somebody, as JSON.

    Example: [bold]whyleft privacy export --project shop --email ada@example.org > ada.json[/bold]
    """
    with told():
        asked = Asked.of(_who(email, user_id, phone, visitor))

        async def command(database: Database, settings: Settings) -> dict[str, Any]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                exported = await export_visitors(tx, found.id, await visitors_asked_for(tx, found.id, asked), asked)
                await requests.note_export(tx, found.id, exported, "the operator", datetime.now(UTC))
                return exported

        typer.echo(json_module.dumps(with_database(data_dir, command), indent=2, ensure_ascii=False, default=str))


@app.command()
def erased(data_dir: DataDir = None) -> None:
    """List who was erased in the last 90 days, as keyed hashes: keep it beside your backups.

    Example: [bold]whyleft privacy erased > erased.jsonl[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> list[Gone]:
            return await list_erased(database)

        for gone in with_database(data_dir, command):
            typer.echo(gone.line())


@app.command()
def erase_again(
    listed: Annotated[Path, typer.Argument(help="What `whyleft privacy erased` printed.")], data_dir: DataDir = None
) -> None:
    """Erase in a restored database who was erased after its backup.

    Example: [bold]whyleft privacy erase-again erased.jsonl[/bold]
    """
    with told():
        try:
            gone = list(read_list(listed.read_text("utf-8")))
        except (OSError, UnicodeError) as error:
            raise Refused(f"{listed} cannot be read ({type(error).__name__}).") from None

        async def command(database: Database, settings: Settings) -> tuple[Again, int]:
            again = await ask_again(database, gone, datetime.now(UTC))
            return again, await requests.carry_out(database, lambda project_id, visitor_id: None)

        again, done = with_database(data_dir, command)
        screen.print(
            f"{len(gone)} were erased by the list; {again.asked} of them were here again: {done} requests done."
        )
        if again.missing:
            screen.print(f"{again.missing} are of projects that this database does not have.")


@app.command("retain")
def retain_now(data_dir: DataDir = None) -> None:
    """Erase what is older than is kept, now; workers do it every hour.

    Example: [bold]whyleft privacy retain[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> dict[str, int]:
            return await retain(database, settings.keep_days, datetime.now(UTC))

        counts = with_database(data_dir, command)
        screen.print(f"Erased {', '.join(f'{n} of {name}' for name, n in counts.items()) or 'nothing'}.")


@app.command("reseal")
def reseal_all(data_dir: DataDir = None) -> None:
    """Seal all personal data by the newest key. Afterwards older keys, but for the last, may be thrown away.

    Example: [bold]whyleft privacy reseal[/bold]
    """
    with told():
        screen.print(f"Sealed {with_database(data_dir, _reseal, moving=True):,} values anew.")


async def _reseal(database: Database, settings: Settings) -> int:
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    return sum(
        [
            await reseal(database, project_id, table, column, lost_keys(settings))
            for project_id in projects
            for table, column in personal_columns()
        ]
    )


def _who(email: str, user_id: str, phone: str, visitor: UUID | None) -> dict[str, Any]:
    said = {"email": email, "user_id": user_id, "phone": phone, "visitors": [str(visitor)] if visitor else []}
    who = {name: value for name, value in said.items() if value}
    if not who:
        raise Refused("Name the person: --email, --user-id, --phone or --visitor.")
    return who
