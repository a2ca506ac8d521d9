"""A project's channel: a way out that it set up, and how it fares."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class ChannelSetup(Tenant, Base):
    """``word`` is what flows call it (email, ticket, …), ``name`` what the project calls it, once.

    ``credentials`` is sealed JSON. ``failures`` counts the answers since the last good one that were none.
    """

    __tablename__ = "channel"
    __table_args__ = (Index("uq_channel_name", "project_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    word: Mapped[str]
    name: Mapped[str]
    settings: Mapped[dict[str, Any]]
    credentials: Mapped[bytes]
    enabled: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_ok_at: Mapped[datetime | None]
    last_error_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    failures: Mapped[int]
