"""Tells every process that people were erased: what they hold of them in memory goes the moment it is committed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import DatabaseUrls
from adapters.postgres.news import News

CHANNEL: Final = "whyleft_forget"
_IN_ONE: Final = 150
"""Ids in one notification, which holds 8,000 bytes."""

Forget = Callable[[UUID, UUID], None]
"""Drops the live profile of a visitor of a project."""


async def tell(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> None:
    """Once this transaction is committed, every process forgets these visitors."""
    found = [str(visitor) for visitor in sorted(visitors)]
    for start in range(0, len(found), _IN_ONE):
        text = f"{project_id} {' '.join(found[start : start + _IN_ONE])}"
        await tx.execute(select(func.pg_notify(CHANNEL, text)))


class Forgetting:
    """Hears of it, in the background, from ``start`` to ``stop``."""

    def __init__(self, urls: DatabaseUrls, forget: Forget) -> None:
        self.forget = forget
        self._news = News(urls, CHANNEL, self._heard)

    def start(self) -> None:
        """Listens in the background."""
        self._news.start()

    async def stop(self) -> None:
        """Listens no more."""
        await self._news.stop()

    def _heard(self, text: str | None) -> None:
        if text is None:
            # What was missed while nobody listened is no danger: a copy of somebody erased is of no version that the
            # database knows, so it is dropped before it is used, and idles out at last.
            return
        project, *visitors = text.split(" ")
        for visitor in visitors:
            self.forget(UUID(project), UUID(visitor))
