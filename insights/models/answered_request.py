"""A request that was answered, so that its repetition gets the same answer and does nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class AnsweredRequest(Tenant, Base):
    """``key`` is the Idempotency-Key of the caller, ``fingerprint`` of the operation and the body it came with."""

    __tablename__ = "answered_request"
    __table_args__ = (Index("ix_answered_request_project_id_at", "project_id", "at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[str]
    at: Mapped[datetime]
