"""``whyleft keys``."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.access import issuing
from insights.access.keys import NewKey, create_key
from insights.access.origins import origin_of
from insights.access.roles import Role
from insights.channels.reseal import Resealed, reseal
from insights.cli.listing import Listing
from insights.cli.options import AsJson, DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import screen, told
from insights.errors import Refused
from insights.models import ApiKey, Project
from insights.settings import PUBLIC_URL, Settings
from insights.wiring.secrets import sealer

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
    role: Annotated[Role, typer.Option(help="Of a secret key: what it may do.")] = Role.ADMIN,
    scope: Annotated[
        list[str] | None, typer.Option(help="Of a secret key: limits it, such as read:sessions. Repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Make a key and print it: it is shown this once.

    Example: [bold]whyleft keys create --project shop --kind write --origin https://shop.example --json[/bold]
    """
    with told():
        origins = [origin_of(text) for text in origin or []]
        scopes = scope or []
        issuing.check_scopes(scopes)
        if kind is Kind.WRITE and scopes:
            raise Refused("--scope is for secret keys: a write key can only report events.", field="scope")

        async def command(database: Database, settings: Settings) -> tuple[NewKey, list[str], str]:
            async with database.transaction(None) as tx:
                before = list(await tx.scalars(select(Project.name).order_by(Project.name)))
            key = await create_key(database, project, kind.value, origins, role=role, scopes=scopes, name=name)
            server = "https://YOUR-SERVER" if settings.public_url == PUBLIC_URL else settings.public_url.rstrip("/")
            return key, before, server

        made, before, server = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode(dataclasses.asdict(made)).decode())
            return
        if before and project not in before:
            others = ", ".join(before)
            screen.print(
                f"Made the project {project!r} too: there was none of this name. The others: {others}. Was one of them "
                f"meant, `whyleft projects archive` takes this one back.",
                markup=False,
                soft_wrap=True,
            )
        typer.echo(made.key)
        if kind is Kind.WRITE:
            screen.print("Put this into the pages of the shop:")
            tag = f'  <script async src="{server}/sdk/whyleft.js" data-key="{made.key}"></script>'
            screen.print(tag, markup=False, soft_wrap=True)
            if not origins:
                screen.print("No --origin was given: browsers may not report with it unless one was allowed before.")


@app.command("list")
def list_(project: ProjectName, data_dir: DataDir = None, json: AsJson = False) -> None:
    """Show a project's keys, the newest first: prefix, role, when it was last used.

    Example: [bold]whyleft keys list --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> list[ApiKey]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                return list(await issuing.keys_of(tx, found.id))

        keys = with_database(data_dir, command)
        if json:
            typer.echo(msgspec.json.encode({"keys": [_as_dict(key) for key in keys]}).decode())
            return
        now = datetime.now(UTC)
        table = Listing("id", "key", "kind", "role", "name", "last used", "state")
        for key in keys:
            used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
            table.add(str(key.id), f"{key.prefix}…", key.kind, key.role or "", key.name, used, _state(key, now))
        table.show("This project has no keys.")


@app.command("rotate")
def rotate(
    project: ProjectName,
    key: Annotated[UUID, typer.Argument(help="The key's id: `whyleft keys list` shows it.")],
    overlap_hours: Annotated[float, typer.Option(help="How long the old key stays good.", min=0, max=2160)] = 24.0,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Make a key that takes the place of another, which stays good for a while; prints the new one, this once.

    Example: [bold]whyleft keys rotate --project shop --overlap-hours 48 KEY-ID[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> NewKey:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                row, text = await issuing.rotate(
                    tx, found.id, key, overlap=timedelta(hours=overlap_hours), now=datetime.now(UTC)
                )
            return NewKey(found.id, found.name, "write" if row.kind == "write" else "secret", text)

        made = with_database(data_dir, command)
        typer.echo(msgspec.json.encode(dataclasses.asdict(made)).decode() if json else made.key)
        if not json:
            screen.print(f"The old key is good for {overlap_hours:g} more hours.")


@app.command("revoke")
def revoke(
    project: ProjectName,
    key: Annotated[UUID, typer.Argument(help="The key's id: `whyleft keys list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """End a key at once, in every process.

    Example: [bold]whyleft keys revoke --project shop KEY-ID[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> ApiKey:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                return await issuing.revoke(tx, found.id, key, datetime.now(UTC))

        typer.echo(f"{with_database(data_dir, command).prefix}… is revoked.")


def _as_dict(key: ApiKey) -> dict[str, object]:
    names = "id kind name role scopes prefix created_at last_used_at expires_at revoked_at replaced_by"
    return {name: getattr(key, name) for name in names.split()}


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    if key.expires_at is None:
        return "in use"
    return f"{'good until' if key.expires_at > now else 'expired'} {key.expires_at:%Y-%m-%d %H:%M}"


@app.command("reseal")
def reseal_all(
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Seal every stored credential anew with the newest key.

    Personal data is sealed by the same keys: older ones can be taken away after `whyleft privacy reseal` too.

    The keys are WHYLEFT_SEALING_KEYS or the lines of WHYLEFT_SEALING_KEYS_FILE, newest first. Servers go on meanwhile.
    Exit status 1 when something was sealed with a key that is not among them.
    """
    with told():

        async def command(database: Database, settings: Settings) -> Resealed:
            return await reseal(database, sealer(settings))

        done = with_database(data_dir, command, moving=True)
        if json:
            typer.echo(msgspec.json.encode(dataclasses.asdict(done)).decode())
        else:
            screen.print(f"{done.resealed} sealed anew, {done.newest} had the newest key already.")
            if done.lost:
                screen.print(f"{done.lost} cannot be opened with any of the keys: add the key they were sealed with.")
        raise typer.Exit(1 if done.lost else 0)
