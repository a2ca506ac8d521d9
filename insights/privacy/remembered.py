"""Remembers for a while that visitors were erased, so that what was kept of them elsewhere does not bring them back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.personal import ring_of
from insights.events.erased import REMEMBERED, digest_key, digest_of
from insights.models import ErasedVisitor

_AT_ONCE: Final = 5_000


async def remember(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], now: datetime) -> None:
    """These visitors were erased at ``now``."""
    key = digest_key(ring_of(tx), project_id)
    await remember_digests(tx, project_id, {digest_of(key, visitor): now for visitor in visitors})


async def remember_digests(tx: AsyncSession, project_id: UUID, erased_at: Mapping[bytes, datetime]) -> None:
    """Those behind these digests were erased then."""
    digests = sorted(erased_at)
    for start in range(0, len(digests), _AT_ONCE):
        rows = [
            {"project_id": project_id, "digest": digest, "erased_at": erased_at[digest]}
            for digest in digests[start : start + _AT_ONCE]
        ]
        new = insert(ErasedVisitor).values(rows)
        await tx.execute(
            new.on_conflict_do_update(
                index_elements=["project_id", "digest"], set_={"erased_at": new.excluded.erased_at}
            )
        )


async def forget_old(tx: AsyncSession, project_id: UUID, now: datetime) -> None:
    """Whom nobody remembers any longer is forgotten."""
    await tx.execute(
        delete(ErasedVisitor).where(ErasedVisitor.project_id == project_id, ErasedVisitor.erased_at < now - REMEMBERED)
    )
