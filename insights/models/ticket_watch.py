"""A ticket that was opened for an error, and what has become of it since."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class TicketWatch(Tenant, Base):
    """``ticket`` is the tracker's own name of it, ``sessions_told`` how many sessions it says met the error.

    ``closed_by``: them (an engineer closed it: the error is fixed) or us (the error stopped, or was said to be fixed).
    """

    __tablename__ = "ticket_watch"
    __table_args__ = (
        CheckConstraint("closed_by IN ('them', 'us')", name="closed_by"),
        Index("ix_ticket_watch_open", "project_id", "looked_at", postgresql_where=text("closed_at IS NULL")),
    )

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel_id: Mapped[UUID]
    ticket: Mapped[str]
    fingerprint: Mapped[str]
    opened_at: Mapped[datetime]
    looked_at: Mapped[datetime]
    sessions_told: Mapped[int]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
