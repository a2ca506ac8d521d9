"""A decision: one ranked choice of a live action, with the exact probabilities it was drawn from."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Double, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Decision(Tenant, Base):
    """``probabilities``: action → 0..1 over the eligible; ``excluded``: action → why it was not a candidate.

    ``situation``: the row that a policy learns from, by the version of its numbers. ``rules``: what the rules would
    have done; ``say``: the policy's share of the probabilities; ``held_back``: what who is held out would have got, and
    what there was no room for (``policy`` says which). Empty where a version decided that did not keep them.
    ``entry_id``: the shop's own entry that was shown; ``given_minor``: what was set aside for it.
    """

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_project_id_session_id", "project_id", "session_id"),
        Index("ix_decision_project_id_visitor_id", "project_id", "visitor_id"),
        Index("ix_decision_project_id_decided_at", "project_id", "decided_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    session_id: Mapped[UUID]
    event_id: Mapped[UUID]
    decided_at: Mapped[datetime]
    policy: Mapped[str]
    stage: Mapped[str]
    intent: Mapped[dict[str, Any]]
    probabilities: Mapped[dict[str, Any]]
    excluded: Mapped[dict[str, Any]]
    action: Mapped[str]
    why: Mapped[str]
    latency_us: Mapped[int]
    situation: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    situation_version: Mapped[int | None]
    rules: Mapped[str | None]
    say: Mapped[float | None]
    entry_id: Mapped[UUID | None]
    given_minor: Mapped[int | None] = mapped_column(BigInteger)
    held_back: Mapped[str | None]
