"""A saved view: filters of the session list under a name, shared by everyone who looks at the project."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class SavedView(Tenant, Base):
    """``query`` is the list's query string, with its question mark."""

    __tablename__ = "saved_view"
    __table_args__ = (Index("uq_saved_view_project_id_name", "project_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    query: Mapped[str]
    created_at: Mapped[datetime]
