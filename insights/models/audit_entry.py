"""What was changed, by whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class AuditEntry(Tenant, Base):
    """One change, noted by the database in the transaction of the change; the application can only read it.

    ``actor_kind``: key, member, operator, or system where the process acted of itself. ``address``: the network of the
    actor, no machine. ``subject``: what was changed, by its ``subject_id``. ``change``: made, changed or removed.
    ``before`` and ``after``: the columns that differ, secrets masked.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_project_id_subject_id", "project_id", "subject", "subject_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    address: Mapped[str | None]
    subject: Mapped[str]
    subject_id: Mapped[str]
    change: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
