"""A message of the shop's own, and the versions of it that were published."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Message(Tenant, Base):
    """``name`` is what steps call it; ``draft`` is being written, and may be wrong. ``revision`` counts the changes.

    ``published``: the number of the version that goes out, NULL for none yet.
    """

    __tablename__ = "message"
    __table_args__ = (Index("uq_message_project_id_name", "project_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    draft: Mapped[dict[str, Any]]
    revision: Mapped[int]
    published: Mapped[int | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class MessageVersion(Tenant, Base):
    """What was published. It never changes."""

    __tablename__ = "message_version"

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]
