"""A webhook receipt: this one was heard, so its copies change nothing."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class WebhookReceipt(Tenant, Base):
    """``webhook_id`` is the sender's. Old ones are forgotten."""

    __tablename__ = "webhook_receipt"
    __table_args__ = (Index("ix_webhook_receipt_project_id_received_at", "project_id", "received_at"),)

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str]
    received_at: Mapped[datetime]
