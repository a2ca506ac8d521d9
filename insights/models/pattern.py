"""A pattern: a reason whose share changed in one cell, from when to when, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Pattern(Tenant, Base):
    """Open while ``ended_at`` is NULL; one open row a cell, reason and version.

    The cell is ``dimension`` (all, page, source, device, country, product) and ``name``; ``label`` is its name for
    people. ``version`` is the classifier whose insights were compared. Shares are 0..1 with their 95 % interval, as
    shown: ``corrected`` says whether for the classifier's known confusion. ``tested_before`` and ``before_n`` are the
    uncorrected share and its effective number of sessions, for deciding when it is over. ``sessions``: those with the
    reason since ``began_at``, of ``cell_sessions`` in the cell; ``session_ids`` are the newest of them. ``also``: other
    cells in which the same sessions show. ``at_stake``: what those who left had in their carts, by currency.
    """

    __tablename__ = "pattern"
    __table_args__ = (
        CheckConstraint("kind IN ('abandoned', 'converted')", name="kind"),
        CheckConstraint("dimension IN ('all', 'page', 'source', 'device', 'country', 'product')", name="dimension"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended"),
        Index(
            "uq_pattern_open",
            "project_id",
            "dimension",
            "name",
            "kind",
            "reason",
            "version",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_pattern_project_id_found_at", "project_id", "found_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    found_at: Mapped[datetime]
    began_at: Mapped[datetime]
    looked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    dimension: Mapped[str]
    name: Mapped[str]
    label: Mapped[str]
    kind: Mapped[str]
    reason: Mapped[str]
    version: Mapped[str]
    before: Mapped[float]
    before_low: Mapped[float]
    before_high: Mapped[float]
    after: Mapped[float]
    after_low: Mapped[float]
    after_high: Mapped[float]
    corrected: Mapped[bool]
    tested_before: Mapped[float]
    before_n: Mapped[float]
    p_value: Mapped[float]
    sessions: Mapped[int] = mapped_column(BigInteger)
    cell_sessions: Mapped[int] = mapped_column(BigInteger)
    session_ids: Mapped[list[Any]]
    also: Mapped[list[Any]]
    at_stake: Mapped[dict[str, Any]] = mapped_column(JSONB)
    action: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    narrative: Mapped[str]
    told_by: Mapped[str]


class PatternLook(Tenant, Base):
    """When a project was last looked at for patterns, and at how much: one row a project."""

    __tablename__ = "pattern_look"

    looked_at: Mapped[datetime]
    sessions: Mapped[int] = mapped_column(BigInteger)
    cells: Mapped[int] = mapped_column(BigInteger)
    found: Mapped[int] = mapped_column(BigInteger)
