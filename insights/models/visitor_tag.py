"""A tag: a word that the shop or a flow put on a visitor."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class VisitorTag(Tenant, Base):
    """``set_by``: "api", or the run that set it ("run:<id>")."""

    __tablename__ = "visitor_tag"
    __table_args__ = (Index("ix_visitor_tag_project_id_tag", "project_id", "tag"),)

    visitor_id: Mapped[UUID] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)
    set_at: Mapped[datetime]
    set_by: Mapped[str]
