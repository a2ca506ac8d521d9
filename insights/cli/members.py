"""``whyleft members``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from adapters.postgres.engine import Database
from insights.access import member_passwords, members
from insights.access.members import Belonging
from insights.access.roles import Role
from insights.cli.listing import Listing
from insights.cli.options import AsJson, DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import screen, told
from insights.errors import NotFound
from insights.models import Invitation
from insights.settings import Settings
from insights.wiring.post import post

app = typer.Typer(help="People who may look into projects.", no_args_is_help=True, rich_markup_mode="rich")

Email = Annotated[str, typer.Argument(help="E-mail address.")]


@app.command("list")
def list_(project: ProjectName, data_dir: DataDir = None, json: AsJson = False) -> None:
    """Show who may look into a project, and who is invited.

    Example: [bold]whyleft members list --project shop[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> tuple[list[Belonging], list[Invitation]]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                return (
                    await members.members_of(tx, found.id),
                    list(await members.invitations_of(tx, found.id, datetime.now(UTC))),
                )

        present, invited = with_database(data_dir, command)
        if json:
            told_of = {
                "members": [
                    {"id": one.member_id, "email": one.email, "role": one.role, "since": one.since} for one in present
                ],
                "invitations": [
                    {"id": one.id, "email": one.email, "role": one.role, "expires_at": one.expires_at}
                    for one in invited
                ],
            }
            typer.echo(msgspec.json.encode(told_of).decode())
            return
        table = Listing("e-mail", "role", "")
        for one in present:
            table.add(one.email, one.role, f"since {one.since:%Y-%m-%d}")
        for waiting in invited:
            table.add(waiting.email, waiting.role, f"invited, until {waiting.expires_at:%Y-%m-%d %H:%M}")
        empty = "Nobody yet: `whyleft members invite` makes a link."
        table.show(empty)


@app.command("invite")
def invite(
    project: ProjectName,
    email: Email,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.READER,
    data_dir: DataDir = None,
) -> None:
    """Invite somebody; prints a link that works once, within a week.

    Example: [bold]whyleft members invite --project shop --role admin ada@example.org[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> str:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                _, token = await members.invite(tx, found.id, email, role, datetime.now(UTC))
            ways = post(settings)
            ways.invite(members.email_of(email), "The operator", found.name, token)
            await ways.close()
            return ways.invitation_link(token)

        typer.echo(with_database(data_dir, command))
        screen.print("This link works once, within a week. Whoever has it becomes a member.")


@app.command("role")
def give_role(project: ProjectName, email: Email, role: Role, data_dir: DataDir = None) -> None:
    """Give a member another role; their logins into the project are over.

    Example: [bold]whyleft members role --project shop ada@example.org editor[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> Belonging:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                one = _named(await members.members_of(tx, found.id), email)
                return await members.give_role(tx, found.id, one.member_id, role, datetime.now(UTC))

        one = with_database(data_dir, command)
        typer.echo(f"{one.email} is {one.role} now.")


@app.command("remove")
def remove(project: ProjectName, email: Email, data_dir: DataDir = None) -> None:
    """Take somebody out of a project; their logins into it are over at once.

    Example: [bold]whyleft members remove --project shop ada@example.org[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> str:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                one = _named(await members.members_of(tx, found.id), email)
                await members.remove_member(tx, found.id, one.member_id, datetime.now(UTC))
            return one.email

        typer.echo(f"{with_database(data_dir, command)} is taken out.")


@app.command("reset")
def reset(email: Email, data_dir: DataDir = None) -> None:
    """Make a link that sets a member's password, once, within an hour; it is mailed, too, where mail is set up.

    Example: [bold]whyleft members reset ada@example.org[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> str:
            address = members.email_of(email)
            async with database.transaction(None) as tx:
                member = await members.member_named(tx, address)
                if member is None:
                    raise NotFound(f"There is no member {address}. `whyleft members list` shows who there is.")
                token = await member_passwords.offer_reset(tx, member.id, datetime.now(UTC))
            ways = post(settings)
            ways.reset(address, token)
            await ways.close()
            return ways.reset_link(token)

        typer.echo(with_database(data_dir, command))


def _named(present: list[Belonging], email: str) -> Belonging:
    address = members.email_of(email)
    for one in present:
        if one.email == address:
            return one
    raise NotFound(f"{address} is no member of this project. `whyleft members list` shows who there is.")
