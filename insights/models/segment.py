"""Segments: named conditions on visitors, who was in them at their last visit, and who came in and fell out when."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.documents import Document


class Segment(Tenant, Base):
    """``condition`` is the JSON form; NULL for a segment whose members are only ever added. ``version`` counts up."""

    __tablename__ = "segment"
    __table_args__ = (Index("uq_segment_project_id_name", "project_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    condition: Mapped[dict[str, Any] | None] = mapped_column(Document(none_as_null=True))
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


class SegmentMove(Tenant, Base):
    """A visitor came into a segment, or fell out of it. Never changed: by it flows are previewed and goals counted."""

    __tablename__ = "segment_move"
    __table_args__ = (
        Index("ix_segment_move_at", "project_id", "segment_id", "at"),
        Index("ix_segment_move_visitor_id", "project_id", "visitor_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    segment_id: Mapped[UUID]
    visitor_id: Mapped[UUID]
    at: Mapped[datetime]
    entered: Mapped[bool]
