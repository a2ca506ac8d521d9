"""A key of a project: write (public, stands in pages) or secret (everything else)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class ApiKey(Tenant, Base):
    """Only the SHA-256 of a key is stored; ``prefix`` is what people recognise it by.

    ``role`` is NULL for a write key. ``last_used_at`` lags behind by minutes. ``expires_at``: set when it was rotated,
    so that it stays good beside ``replaced_by`` for a while.
    """

    __tablename__ = "api_key"
    __table_args__ = (
        CheckConstraint("kind IN ('write', 'secret')", name="kind"),
        CheckConstraint(
            "CASE kind WHEN 'write' THEN role IS NULL ELSE COALESCE(role IN ('reader', 'editor', 'admin'), false) END",
            name="role",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    role: Mapped[str | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    prefix: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    replaced_by: Mapped[UUID | None]
