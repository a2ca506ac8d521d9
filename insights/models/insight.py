"""An insight: the one reason of a closed session, with confidence and the events that show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, and_, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from insights.models.session import Session


class Insight(Tenant, Base):
    """At most one row of a session is current (``superseded_at`` is NULL); the older ones are its history.

    ``classifier`` says who spoke ("evidence-2", or "llm:<model>:<prompt version>"); ``fallback`` says why the
    evidence classifier had to stand in for a configured model. ``evidence`` and ``suggested_actions`` are lists.
    ``calls``, tokens and cost are what this row took (nothing where an earlier answer was good; cost NULL where prices
    are unknown). ``answer`` is the model's own, found again by ``question_key`` when the same is asked.
    ``timeline_hash`` is of the events it holds for, ``outcome_hash`` of what the evidence rules make of them ("" where
    that is not known): while that stays the same, late events change no insight.
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
        Index(
            "ix_insight_project_id_question_key",
            "project_id",
            "question_key",
            postgresql_where=text("question_key IS NOT NULL"),
        ),
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
    outcome_hash: Mapped[str] = mapped_column(server_default="")
    calls: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tokens_in: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tokens_out: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cost_micros: Mapped[int | None] = mapped_column(BigInteger)
    question_key: Mapped[str | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


ITS_INSIGHT = and_(
    Insight.project_id == Session.project_id,
    Insight.session_id == Session.id,
    Insight.superseded_at.is_(None),
)
"""Joins a session with its current insight; an outer join, where those without one are wanted, too."""
