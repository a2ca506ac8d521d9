"""A project: one tenant."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base


class Project(Base):
    """The list of tenants. It holds no customer's data and has no policy: processes read it to find their work.

    An archived project keeps what it has; its keys open nothing, and nothing goes out in its name. ``identity_mode``:
    whether who somebody is must be signed (``identity/proof``).
    """

    __tablename__ = "project"
    __table_args__ = (CheckConstraint("identity_mode IN ('off', 'observe', 'required')", name="identity_mode"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    allowed_origins: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]
    identity_mode: Mapped[str] = mapped_column(server_default="off")
