"""What a person said of an insight; the last word on a session counts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class InsightFeedback(Tenant, Base):
    """``said``: right, wrong, or other with the ``reason`` it is instead. For right it is the reason that was named."""

    __tablename__ = "insight_feedback"
    __table_args__ = (
        CheckConstraint("said IN ('right', 'wrong', 'other')", name="said"),
        CheckConstraint("(said = 'wrong') = (reason IS NULL)", name="reason"),
    )

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    insight_id: Mapped[UUID]
    said: Mapped[str]
    reason: Mapped[str | None]
    said_at: Mapped[datetime]
