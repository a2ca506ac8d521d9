"""A live action of the shop's own making, and what was given away and shown through it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class LiveActionEntry(Tenant, Base):
    """``definition`` is the entry as it was written and checked. An action with entries of its own has no built-in one.

    ``version`` counts the changes.
    """

    __tablename__ = "live_action"
    __table_args__ = (Index("uq_live_action_project_id_name", "project_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    action: Mapped[str]
    stages: Mapped[list[str]] = mapped_column(ARRAY(Text))
    definition: Mapped[dict[str, Any]]
    priority: Mapped[int]
    enabled: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class LiveSpend(Tenant, Base):
    """What an action gave away on a day (UTC), in minor units of the shop's currency, and how often."""

    __tablename__ = "live_spend"

    action_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    spent_minor: Mapped[int] = mapped_column(BigInteger)
    given: Mapped[int]


class LiveClaim(Tenant, Base):
    """How often ``key`` had its turn in ``period``: what caps per visitor, device and week count."""

    __tablename__ = "live_claim"

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime]
