"""Opens the database for one short command."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from adapters.postgres.acting import Actor, acting
from adapters.postgres.engine import Database
from insights.channels.opening import refuse_other_keys
from insights.errors import NotFound
from insights.models import Project
from insights.settings import Settings
from insights.wiring.database import open_database, running_database
from insights.wiring.secrets import lost_keys, personal_ring, sealer

Result = TypeVar("Result")


def with_database(
    data_dir: Path | None, command: Callable[[Database, Settings], Awaitable[Result]], *, moving: bool = False
) -> Result:
    """Runs ``command`` against the settings' database; a server that runs on the same data folder is used as it is.

    ``moving``: it seals anew what former keys sealed. Raises SealedOtherwise: with other keys nobody would be found,
    and what is stored would be sealed for nobody.
    """
    settings = Settings.from_environment(data_dir=data_dir)

    async def run() -> Result:
        database = Database(urls, pool_size=2, ring=personal_ring(settings))
        try:
            await refuse_other_keys(database, sealer(settings), lost_keys(settings), moving=moving)
            with acting(Actor("operator", None, f"{whoever()} on the command line")):
                return await command(database, settings)
        finally:
            await database.close()

    running = running_database(settings)
    if running is not None:
        urls = running
        return asyncio.run(run())
    with open_database(settings) as urls:
        return asyncio.run(run())


def whoever() -> str:
    """Who runs the command, as the system calls them; by number where it knows no name, as in many a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


async def project_named(database: Database, name: str) -> Project:
    """The project of this name. Raises NotFound, naming those there are."""
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project).order_by(Project.name)))
    for project in projects:
        if project.name == name:
            return project
    known = ", ".join(project.name for project in projects) or "none yet: `whyleft projects create` makes one"
    raise NotFound(f"There is no project {name!r}. Projects: {known}.")
