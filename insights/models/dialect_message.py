"""A message of another dialect: where its event was put, so that its copy goes to the same place."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class DialectMessage(Tenant, Base):
    """``id`` is the event's. Only messages without a session of ours stand here; old ones are forgotten."""

    __tablename__ = "dialect_message"
    __table_args__ = (
        Index("ix_dialect_message_project_id_visitor_id", "project_id", "visitor_id", "occurred_at"),
        Index("ix_dialect_message_project_id_received_at", "project_id", "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    session_id: Mapped[UUID]
    session_name: Mapped[str | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
