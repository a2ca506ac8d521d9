"""How far a data platform was told of decisions and insights."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class PlatformFeed(Tenant, Base):
    """Everything up to ``through_at`` and, then, ``through_id`` was taken. Until ``held_until`` a worker is at it."""

    __tablename__ = "platform_feed"
    __table_args__ = (CheckConstraint("what IN ('decision', 'insight')", name="what"),)

    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    through_at: Mapped[datetime]
    through_id: Mapped[UUID]
    held_until: Mapped[datetime]
