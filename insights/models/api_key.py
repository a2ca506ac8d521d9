"""A key of a project: write (public, stands in pages) or secret (everything else)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class ApiKey(Tenant, Base):
    """Only the SHA-256 of a key is stored; ``prefix`` is what people recognise it by."""

    __tablename__ = "api_key"
    __table_args__ = (CheckConstraint("kind IN ('write', 'secret')", name="kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    prefix: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
