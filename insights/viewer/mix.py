"""How the reasons of the filtered sessions add up, and what is left in the carts of those who left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import Session
from insights.viewer.filters import Filters
from insights.viewer.matching import CAME_TO, IS_OPEN, matching
from insights.vocabulary.reasons import Kind


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the sessions have this reason. Without one they are still ``open``, or closed and not yet read."""

    reason: str | None
    kind: str | None
    open: bool
    count: int


@dataclass(frozen=True, slots=True)
class Mix:
    """The filtered set in numbers. ``at_stake``: (currency, minor units) in the carts of those who left."""

    shares: tuple[Share, ...]
    at_stake: tuple[tuple[str | None, int], ...]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(share.count for share in self.shares)

    @property
    def still_open(self) -> int:
        """Those that have not closed, or were opened again."""
        return sum(share.count for share in self.shares if share.open)

    def of_kind(self, kind: Kind) -> int:
        """Those that came to ``kind``."""
        return sum(share.count for share in self.shares if share.kind == kind)


async def read_mix(tx: AsyncSession, project_id: UUID, filters: Filters, now: datetime) -> Mix:
    """Counts the filtered sessions."""
    query = (
        select(
            Session.reason,
            CAME_TO,
            IS_OPEN,
            Session.currency,
            func.count(),
            func.sum(Session.cart_value_minor).filter(Session.cart_value_minor > 0),
        )
        .select_from(Session)
        .where(*matching(filters, project_id, now))
        .group_by(text("1, 2, 3, 4"))
    )
    counts: dict[tuple[str | None, str | None, bool], int] = {}
    money: dict[str | None, int] = {}
    for reason, kind, is_open, currency, count, cart in await tx.execute(query):
        # An insight stands until the session closes again: only without one does it matter whether it is open.
        key = (reason, kind, is_open)
        counts[key] = counts.get(key, 0) + count
        if kind == Kind.ABANDONED and cart:
            money[currency] = money.get(currency, 0) + int(cart)
    shares = tuple(Share(*key, count) for key, count in counts.items())
    return Mix(shares, tuple(sorted(money.items(), key=lambda item: -item[1])))
