"""A discount code: single-use, bound to one visitor, over at ``expires_at``."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class DiscountCode(Tenant, Base):
    """``issue_key`` makes issuing idempotent: the same key always returns the same code."""

    __tablename__ = "discount_code"
    __table_args__ = (
        CheckConstraint("percent BETWEEN 1 AND 90", name="percent"),
        Index("uq_discount_code_issue_key", "project_id", "issue_key", unique=True),
        Index("ix_discount_code_project_id_issued_at", "project_id", "issued_at"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    issue_key: Mapped[str]
    visitor_id: Mapped[UUID]
    percent: Mapped[int]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    redeemed_at: Mapped[datetime | None]
