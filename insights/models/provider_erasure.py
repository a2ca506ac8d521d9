"""What one connected provider was asked to erase of somebody, and what it said: a row of an erasure's report."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalJson, PersonalText


class ProviderErasure(Tenant, Base):
    """``who``: {"emails", "phones", "user_ids"}, empty as soon as the provider need not be asked any more.

    ``status``: waiting (its turn is at ``due_at``), done, by_hand (it has no call for it), kept (the channel is set to
    leave people there), failed (a person must look). ``said``: what it came to, in a sentence.
    """

    __tablename__ = "provider_erasure"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'done', 'by_hand', 'kept', 'failed')", name="status"),
        Index("uq_provider_erasure_channel", "project_id", "request_id", "channel_id", unique=True),
        Index("ix_provider_erasure_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    name: Mapped[str]
    kind: Mapped[str]
    who: Mapped[dict[str, Any]] = mapped_column(PersonalJson())
    status: Mapped[str]
    said: Mapped[str] = mapped_column(PersonalText())
    attempts: Mapped[int]
    asked_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[int] = mapped_column(BigInteger, server_default="0")
