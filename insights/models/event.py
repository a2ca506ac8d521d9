"""An event: one thing that happened, in the daily partition named by its session id."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Event(Tenant, Base):
    """Partitioned by range of ``session_id`` (a UUIDv7 sorts by time), so dedupe needs the primary key alone."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_refunded", "project_id", "received_at", postgresql_where=text("type = 'refunded'")),
        {"postgresql_partition_by": "RANGE (session_id)"},
    )

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    tab: Mapped[str]
    seq: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    type: Mapped[str]
    url: Mapped[str | None]
    props: Mapped[dict[str, Any]]
