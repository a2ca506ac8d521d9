"""Segments: named conditions on visitors, and who was in them at their last visit."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Segment(Tenant, Base):
    """``condition`` is the JSON form; NULL for a segment whose members are only ever added. ``version`` counts up."""

    __tablename__ = "segment"
    __table_args__ = (Index("uq_segment_project_id_name", "project_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SegmentMember(Tenant, Base):
    """A visitor whom the condition covered when their last session closed (``matched``), or who was ``added``."""

    __tablename__ = "segment_member"
    __table_args__ = (Index("ix_segment_member_project_id_visitor_id", "project_id", "visitor_id"),)

    segment_id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    matched: Mapped[bool]
    added: Mapped[bool]
