"""Decides what of a batch is news of somebody who was erased: it was kept by a browser that was offline, or told late.

Visitors are known by keyed hashes of their ids alone, for ``REMEMBERED``: whoever has no id of theirs learns nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.personal import Ring, ring_of
from insights.events.wire import Reading
from insights.models import ErasedVisitor
from insights.vocabulary.ids import uuid7_ms

REMEMBERED: Final = timedelta(days=90)
"""Longer than a browser that is used at all stays offline."""

EVERYBODY: Final = UUID(int=0)
"""In the place of a visitor: all that the project had."""

Mark = tuple[int, datetime | None]
"""How many were erased, and the last of them when."""


def digest_of(key: bytes, visitor_id: UUID) -> bytes:
    """What a visitor is remembered by."""
    return blake2b(visitor_id.bytes, key=key, digest_size=16).digest()


def digest_key(ring: Ring, project_id: UUID) -> bytes:
    """The key of a project's digests: it follows from the server's secret, and is stored nowhere."""
    return blake2b(ring.seal(f"erased of {project_id}", -1).encode()).digest()


@dataclass(frozen=True, slots=True)
class Erased:
    """Whom a project erased lately: ``at`` (epoch milliseconds) by digest; ``all_at``: everybody, 0 for never.

    ``mark``: of what was read.
    """

    key: bytes
    at: Mapping[bytes, int]
    all_at: int
    mark: Mark

    def until(self, visitor_id: UUID) -> int:
        """What was told up to then (epoch milliseconds) is of somebody who was erased; 0: of nobody."""
        return max(self.at.get(digest_of(self.key, visitor_id), 0), self.all_at) if self.at else self.all_at


NOBODY: Final = Erased(b"", {}, 0, (0, None))


async def read_erased(tx: AsyncSession, project_id: UUID, before: Erased | None) -> Erased:
    """Whom the project erased lately; ``before`` is what was read last, which is still so as a rule."""
    here = ErasedVisitor.project_id == project_id
    count, last = (await tx.execute(select(func.count(), func.max(ErasedVisitor.erased_at)).where(here))).one()
    mark = (count, last)
    if before is not None and before.mark == mark:
        return before
    rows = await tx.execute(select(ErasedVisitor.digest, ErasedVisitor.erased_at).where(here))
    at = {digest: int(erased_at.timestamp() * 1000) for digest, erased_at in rows}
    key = digest_key(ring_of(tx), project_id)
    all_at = at.pop(digest_of(key, EVERYBODY), 0)
    return Erased(key, at, all_at, mark)


def only_after(reading: Reading, until: int) -> Reading:
    """The reading without what was told up to ``until``, by our clock. Refused events go with a visit from before."""
    batch = reading.batch
    batch.events = [event for event in batch.events if event.t + reading.behind_ms > until]
    rejected = reading.rejected if uuid7_ms(batch.session) + reading.behind_ms > until else []
    return Reading(batch, rejected, reading.skew_ms, reading.behind_ms)
