"""Finds the visitors of somebody who asks by name: by what they said of themselves, and by what links them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import Conversion
from insights.identity.named import visitors_named
from insights.identity.together import visitors_together
from insights.models import Visitor


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, as far as the asker says. ``orders``: ids of orders that are theirs; ``visitors``: their devices."""

    user_id: str | None = None
    email: str | None = None
    phone: str | None = None
    orders: Sequence[str] = ()
    visitors: Sequence[UUID] = ()

    @classmethod
    def of(cls, who: Mapping[str, Any]) -> Asked:
        """Read from ``PrivacyRequest.who``."""
        return cls(
            who.get("user_id"),
            who.get("email"),
            who.get("phone"),
            tuple(who.get("orders") or ()),
            tuple(UUID(visitor) for visitor in who.get("visitors") or ()),
        )

    @property
    def names(self) -> list[str]:
        return [name for name in (self.user_id, self.email, self.phone) if name]


async def visitors_asked_for(tx: AsyncSession, project_id: UUID, asked: Asked) -> set[UUID]:
    """All visitors who are this person."""
    said = [
        condition
        for condition in (
            Visitor.user_id == asked.user_id if asked.user_id else None,
            Visitor.email.in_({asked.email, asked.email.lower()}) if asked.email else None,
            Visitor.phone == asked.phone if asked.phone else None,
        )
        if condition is not None
    ]
    found: set[UUID] = set(asked.visitors)
    if said:
        found |= set(await tx.scalars(select(Visitor.id).where(Visitor.project_id == project_id, or_(*said))))
        found |= await visitors_named(
            tx, project_id, user_id=asked.user_id, email=asked.email, phone=asked.phone, refused_too=True
        )
    if asked.orders:
        found |= set(
            await tx.scalars(
                select(Conversion.visitor_id).where(
                    Conversion.project_id == project_id, Conversion.key.in_(list(asked.orders))
                )
            )
        )
    together = await visitors_together(tx, project_id, found)
    return {visitor for group in together.values() for visitor in group}
