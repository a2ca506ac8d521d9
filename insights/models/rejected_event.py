"""A rejected event: what could not be accepted, but secrets in its addresses, kept with the reason for another try."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalBytes, PersonalJson, PersonalText


class RejectedEvent(Tenant, Base):
    """``raw`` is the event's own JSON bytes; ``envelope`` is the rest of its batch (visitor, session, tab, page)."""

    __tablename__ = "rejected_event"
    __table_args__ = (Index("ix_rejected_event_project_id_received_at", "project_id", "received_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    envelope: Mapped[dict[str, Any]] = mapped_column(PersonalJson())
    raw: Mapped[bytes] = mapped_column(PersonalBytes())
    error: Mapped[str] = mapped_column(PersonalText())
    replayed_at: Mapped[datetime | None]
