"""Where somebody's data was handed to, and what became of it there: a row of an erasure's report."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalJson, PersonalText


class ProviderErasure(Tenant, Base):
    """``channel_id``: the project's channel; NULL for what is the server's own, whose ``kind`` is then its word (email,
    webhook, ticket, model). ``who``: {"emails", "phones", "user_ids", "visitors"}, empty once nobody need be asked.

    ``status``: waiting (its turn is at ``due_at``), done, by_hand (it has no call for it), kept (the channel is set to
    leave people there), nameless (it never got a name to find them by), failed (a person must look). ``said``: what it
    came to, in a sentence.
    """

    __tablename__ = "provider_erasure"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'done', 'by_hand', 'kept', 'nameless', 'failed')", name="status"),
        Index("uq_provider_erasure_channel", "project_id", "request_id", "channel_id", unique=True),
        Index(
            "uq_provider_erasure_servers",
            "project_id",
            "request_id",
            "kind",
            unique=True,
            postgresql_where=text("channel_id IS NULL"),
        ),
        Index("ix_provider_erasure_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID]
    channel_id: Mapped[UUID | None]
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
