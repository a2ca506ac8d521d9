"""Versions of a project's intent model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class IntentModelVersion(Tenant, Base):
    """One trained model. One incumbent scores; a candidate did not beat the one before; the retired were beaten.

    ``model``: weights by feature. ``report``: what it was judged by. ``trained_through``: the start of the last session
    that it learned from or was judged by.
    """

    __tablename__ = "intent_model"
    __table_args__ = (
        CheckConstraint("role IN ('incumbent', 'candidate', 'retired')", name="role"),
        Index("uq_intent_model_incumbent", "project_id", unique=True, postgresql_where=text("role = 'incumbent'")),
    )

    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]
    made_at: Mapped[datetime]
    trained_through: Mapped[datetime]
    model: Mapped[dict[str, Any]] = mapped_column(JSONB)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)
