"""Whether a server's keys are those of its database: looked up in what is sealed there, before anything is made of it.

A look, no proof: some rows of each column. What is met later says so itself (``KeyUnknown``, ``CannotOpen``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select

from adapters.postgres.engine import Database
from adapters.postgres.reseal import SealedBy, sealed_by
from insights.channels.reseal import PLACES
from insights.models import Project
from insights.sealing import SealedOtherwise, Sealer

PROJECTS: Final = 100
"""Keys are the server's: so many of its projects tell as much as all."""


async def refuse_other_keys(database: Database, sealer: Sealer, lost: Collection[str], *, moving: bool = False) -> None:
    """Returns when nothing was met that this server's keys do not open, but for what ``lost`` keys sealed.

    ``moving``: whoever asks is about to seal anew what rows are found by. Raises SealedOtherwise: which key, and where.
    """
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id).order_by(Project.id).limit(PROJECTS)))
    met: set[SealedBy] = set()
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            met.update(await sealed_by(tx, project_id))
    met = {found for found in met if found.key not in lost}
    for key in sorted({found.key for found in met if not database.ring.knows(found.key)}):
        raise SealedOtherwise(_unknown(f"Personal data of this database ({_places(met, key)})", key))
    former = sorted({found.key for found in met if found.fixed} - {database.ring.key(fixed=True)})
    if former and not moving:
        raise SealedOtherwise(
            f"What rows are found by ({_places(met, former[0])}) is sealed with a former key, and who opted out would "
            "not be found: run `whyleft privacy reseal` before anything else."
        )
    await _refuse_other_credentials(database, sealer, projects, lost)


async def _refuse_other_credentials(
    database: Database, sealer: Sealer, projects: Sequence[UUID], lost: Collection[str]
) -> None:
    keys: set[str] = set()
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            for place in PLACES:
                for sealed in await tx.scalars(select(place.column).where(place.column.is_not(None))):
                    if sealer.knows(sealed):
                        # Others that nobody opens any more are entered anew while everything goes on.
                        return
                    keys.add(sealer.key(sealed))
    if keys - set(lost):
        raise SealedOtherwise(_unknown("Every credential of channels, webhooks and models", ",".join(sorted(keys))))


def _places(met: Collection[SealedBy], key: str) -> str:
    return ", ".join(sorted(found.place for found in met if found.key == key))


def _unknown(what: str, keys: str) -> str:
    return (
        f"{what} was sealed with a key that is not here ({keys}). Set WHYLEFT_SECRET as it was (where none was set, "
        "it is the file `secret` in the data folder), or add the key to WHYLEFT_SEALING_KEYS. If it is lost for good, "
        f"WHYLEFT_LOST_SEALS={keys} goes on without what it sealed."
    )
