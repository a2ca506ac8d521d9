"""Policies, the snapshots they decided by, the outcomes they learned from, and every change of who decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Policy(Tenant, Base):
    """A way to learn. ``settings``: explorer and its numbers. One incumbent decides; challengers are only evaluated."""

    __tablename__ = "policy"
    __table_args__ = (
        CheckConstraint("role IN ('incumbent', 'challenger', 'retired')", name="role"),
        Index("uq_policy_incumbent", "project_id", unique=True, postgresql_where=text("role = 'incumbent'")),
        Index("uq_policy_project_id_name", "project_id", "name", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    settings: Mapped[dict[str, Any]]
    role: Mapped[str]
    created_at: Mapped[datetime]


class PolicySnapshot(Tenant, Base):
    """What the incumbent had learned at ``made_at``; its decisions name the ``version``.

    ``weights``: arm after arm, expected reward per number of the situation, little-endian doubles. ``sums``: what they
    were worked out from, kept with the newest only. ``outcomes``: the weight of what it learned from; ``memory``: the
    index of the memory that foresaw best.
    """

    __tablename__ = "policy_snapshot"

    version: Mapped[int] = mapped_column(primary_key=True)
    policy_id: Mapped[UUID]
    situation_version: Mapped[int]
    made_at: Mapped[datetime]
    outcomes: Mapped[float]
    memory: Mapped[int]
    weights: Mapped[bytes]
    sums: Mapped[bytes | None]


class Reward(Tenant, Base):
    """What a decision earned, as far as it is known: ``value`` in the shop's unit, ``outcome`` in words."""

    __tablename__ = "reward"
    __table_args__ = (Index("ix_reward_project_id_bucket", "project_id", "bucket"),)

    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    decided_at: Mapped[datetime]
    bucket: Mapped[int]
    action: Mapped[str]
    value: Mapped[float]
    outcome: Mapped[str]
    counted_at: Mapped[datetime]


class PolicyBucket(Tenant, Base):
    """Outcomes summed up together. ``sums`` of all arms; NULL while a reward in it has changed since."""

    __tablename__ = "policy_bucket"

    number: Mapped[int] = mapped_column(primary_key=True)
    situation_version: Mapped[int]
    outcomes: Mapped[int]
    sums: Mapped[bytes | None]
    summed_at: Mapped[datetime | None]


class PolicyChange(Tenant, Base):
    """Who decided from ``at`` on, who before, and on what grounds. Nothing here is ever changed or deleted."""

    __tablename__ = "policy_change"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    policy_id: Mapped[UUID]
    replaced_id: Mapped[UUID | None]
    kind: Mapped[str]
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
