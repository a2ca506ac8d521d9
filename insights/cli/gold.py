"""``whyleft gold``: visits whose reason a person has named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapters.postgres.engine import Database
from insights.cli.options import DataDir
from insights.cli.session import project_named, with_database
from insights.cli.trouble import screen, told
from insights.errors import NotFound, Refused
from insights.evaluation.feedback import gold_of, only_called_wrong
from insights.evaluation.gold import GoldStory, as_file
from insights.settings import Settings

app = typer.Typer(help="Visits whose reason a person has named.", no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def _gold() -> None:
    """Visits whose reason a person has named."""


@app.command("export")
def export(
    project: Annotated[str, typer.Option(help="The project's name.")],
    out: Annotated[Path, typer.Option(help="The gold file to write.")],
    data_dir: DataDir = None,
) -> None:
    """Write what people said in the viewer as a gold file. It holds whole visits: keep it in the house.

    Example: [bold]whyleft gold export --project shop --out mine.json && whyleft eval --gold mine.json[/bold]
    """
    with told():

        async def command(database: Database, settings: Settings) -> tuple[list[GoldStory], int]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                return await gold_of(tx, found.id), await only_called_wrong(tx, found.id)

        stories, wrong = with_database(data_dir, command)
        if not stories:
            raise NotFound("Nobody has said Right or named another reason in the viewer yet: there is no gold.")
        try:
            out.write_bytes(as_file(stories))
        except OSError as error:
            raise Refused(f"{out} cannot be written ({error.strerror}): name another file.") from None
        screen.print(f"{len(stories)} visits written to {out}. They hold what visitors did: keep them in the house.")
        if wrong:
            screen.print(
                f"{wrong} more were called wrong, but not what it was instead. They are not among these, so whoever "
                "named their reasons looks better than it is: name the right ones in the viewer, and export again."
            )
