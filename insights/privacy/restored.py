"""Erases in a restored database who was erased after its backup: by a list of keyed hashes that was kept elsewhere."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from adapters.postgres.personal import ring_of
from insights.errors import Refused
from insights.events.erased import EVERYBODY, digest_key, digest_of
from insights.models import ErasedVisitor, Project, Visitor
from insights.privacy.remembered import remember_digests
from insights.privacy.requests import ask

ASKED_BY = "the operator, after a restore"


@dataclass(frozen=True, slots=True)
class Gone:
    """That somebody was erased, as ``ErasedVisitor`` has it."""

    project_id: UUID
    digest: bytes
    erased_at: datetime

    def line(self) -> str:
        """As a line of the list."""
        return json.dumps(
            {"project": str(self.project_id), "digest": self.digest.hex(), "erased_at": self.erased_at.isoformat()}
        )

    @classmethod
    def of_line(cls, line: str) -> Self:
        """Reads a line of the list. Raises Refused."""
        try:
            said = json.loads(line)
            at = datetime.fromisoformat(said["erased_at"])
            return cls(UUID(said["project"]), bytes.fromhex(said["digest"]), at.astimezone(UTC))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(f"This is no line of `whyleft privacy erased`: {line[:80]!r}.") from error


@dataclass(frozen=True, slots=True)
class Again:
    """``asked``: requests to erase that were taken down; ``missing``: what is listed of projects that are not here."""

    asked: int
    missing: int


async def list_erased(database: Database) -> list[Gone]:
    """Who was erased lately, project by project."""
    found: list[Gone] = []
    for project_id in await _projects(database):
        async with database.transaction(project_id) as tx:
            rows = await tx.execute(
                select(ErasedVisitor.digest, ErasedVisitor.erased_at)
                .where(ErasedVisitor.project_id == project_id)
                .order_by(ErasedVisitor.erased_at)
            )
            found += [Gone(project_id, digest, erased_at) for digest, erased_at in rows]
    return found


async def ask_again(database: Database, listed: Iterable[Gone], now: datetime) -> Again:
    """Takes down a request for everybody who is listed and here; who is not here any more is remembered as erased.

    Who was erased at that time or later by what the database knows itself came back afterwards, and stays.
    """
    by_project: dict[UUID, dict[bytes, datetime]] = defaultdict(dict)
    for gone in listed:
        known = by_project[gone.project_id]
        known[gone.digest] = max(gone.erased_at, known.get(gone.digest, gone.erased_at))
    here = set(await _projects(database))
    asked = 0
    for project_id in sorted(here & by_project.keys()):
        async with database.transaction(project_id) as tx:
            asked += await _ask_again(tx, project_id, by_project[project_id], now)
    return Again(asked, sum(len(gone) for project_id, gone in by_project.items() if project_id not in here))


async def _ask_again(tx: AsyncSession, project_id: UUID, listed: dict[bytes, datetime], now: datetime) -> int:
    rows = await tx.execute(
        select(ErasedVisitor.digest, ErasedVisitor.erased_at).where(ErasedVisitor.project_id == project_id)
    )
    known: dict[bytes, datetime] = dict(rows.all())
    news = {digest: at for digest, at in listed.items() if digest not in known or known[digest] < at}
    if not news:
        return 0
    key = digest_key(ring_of(tx), project_id)
    asked = 0
    if digest_of(key, EVERYBODY) in news:
        await ask(tx, project_id, "erase_shop", {}, ASKED_BY, now)
        asked += 1
    visitors = await tx.stream_scalars(
        select(Visitor.id).where(Visitor.project_id == project_id).execution_options(yield_per=10_000)
    )
    found = [visitor async for visitor in visitors if digest_of(key, visitor) in news]
    for visitor in found:
        await ask(tx, project_id, "erase_person", {"visitors": [str(visitor)]}, ASKED_BY, now)
    here = {digest_of(key, visitor) for visitor in (*found, EVERYBODY)}
    await remember_digests(tx, project_id, {digest: at for digest, at in news.items() if digest not in here})
    return asked + len(found)


async def _projects(database: Database) -> list[UUID]:
    async with database.transaction(None) as tx:
        return list(await tx.scalars(select(Project.id).order_by(Project.id)))


def read_list(text: str) -> Iterator[Gone]:
    """The lines of a list. Raises Refused."""
    for line in text.splitlines():
        if line.strip():
            yield Gone.of_line(line)
