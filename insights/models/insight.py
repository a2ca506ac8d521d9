"""An insight: the one reason of a closed session, with confidence and the events that show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Insight(Tenant, Base):
    """At most one row of a session is current (``superseded_at`` is NULL); the older ones are its history.

    ``classifier`` says who spoke ("evidence-2", or "llm:<model>:<prompt version>"); ``fallback`` says why the
    evidence classifier had to stand in for a configured model. ``evidence`` and ``suggested_actions`` are lists.
    """

    __tablename__ = "insight"
    __table_args__ = (
        CheckConstraint("kind IN ('abandoned', 'converted')", name="kind"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        Index(
            "uq_insight_current",
            "project_id",
            "session_id",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index("ix_insight_project_id_reason", "project_id", "reason"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID]
    visitor_id: Mapped[UUID]
    kind: Mapped[str]
    reason: Mapped[str]
    confidence: Mapped[float]
    narrative: Mapped[str]
    evidence: Mapped[list[Any]]
    suggested_actions: Mapped[list[Any]]
    classifier: Mapped[str]
    fallback: Mapped[str | None]
    timeline_hash: Mapped[str]
    created_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
