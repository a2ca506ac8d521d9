"""Patterns, looks for them, who is told, and the product that a visit was about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.audit import audit_trigger
from adapters.postgres.tenancy import tenant_policy

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=False)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Float(), nullable=False)


def _count(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.add_column("session", _text("product", nullable=True))
    op.create_table(
        "pattern",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        _at("found_at"),
        _at("began_at"),
        _at("looked_at"),
        _at("ended_at", nullable=True),
        _text("end_reason", nullable=True),
        *(_text(name) for name in ("dimension", "name", "label", "kind", "reason", "version")),
        *(_number(name) for name in ("before", "before_low", "before_high", "after", "after_low", "after_high")),
        sa.Column("corrected", sa.Boolean(), nullable=False),
        *(_number(name) for name in ("tested_before", "before_n", "p_value")),
        _count("sessions"),
        _count("cell_sessions"),
        *(_json(name) for name in ("session_ids", "also", "at_stake")),
        _text("action"),
        _json("params"),
        _text("narrative"),
        _text("told_by"),
        sa.CheckConstraint("kind IN ('abandoned', 'converted')", name=op.f("ck_pattern_kind")),
        sa.CheckConstraint(
            "dimension IN ('all', 'page', 'source', 'device', 'country', 'product')", name=op.f("ck_pattern_dimension")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_pattern_ended")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_pattern")),
    )
    op.create_index(
        "uq_pattern_open",
        "pattern",
        ["project_id", "dimension", "name", "kind", "reason", "version"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_pattern_project_id_found_at", "pattern", ["project_id", "found_at"])
    op.create_table(
        "pattern_look",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        _at("looked_at"),
        _count("sessions"),
        _count("cells"),
        _count("found"),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_pattern_look")),
    )
    op.create_table(
        "subscription",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        _text("channel"),
        _text("address"),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("patterns", sa.Boolean(), nullable=False),
        _text("report", nullable=True),
        _at("report_at", nullable=True),
        _at("created_at"),
        sa.CheckConstraint("channel IN ('email', 'webhook')", name=op.f("ck_subscription_channel")),
        sa.CheckConstraint("report IN ('daily', 'weekly')", name=op.f("ck_subscription_report")),
        sa.CheckConstraint("(channel = 'webhook') = (secret IS NOT NULL)", name=op.f("ck_subscription_secret")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_subscription")),
    )
    op.create_index("uq_subscription_address", "subscription", ["project_id", "channel", "address"], unique=True)
    op.create_index(
        "ix_subscription_report_at",
        "subscription",
        ["report_at"],
        postgresql_where=sa.text("report_at IS NOT NULL"),
    )
    op.create_table(
        "notice",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        _text("about"),
        _text("status"),
        _count("attempts"),
        _at("due_at", nullable=True),
        _text("error", nullable=True),
        _at("created_at"),
        _at("decided_at", nullable=True),
        sa.CheckConstraint(
            "status IN ('due', 'sending', 'accepted', 'rejected', 'unknown')", name=op.f("ck_notice_status")
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_notice")),
    )
    op.create_index("uq_notice_about", "notice", ["project_id", "subscription_id", "about"], unique=True)
    op.create_index("ix_notice_due_at", "notice", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    for table in ("pattern", "pattern_look", "subscription", "notice"):
        for statement in tenant_policy(table):
            op.execute(statement)
    for statement in audit_trigger("subscription", "subscription", noise=["report_at"], secrets=["address", "secret"]):
        op.execute(statement)


def downgrade() -> None:
    for table in ("notice", "subscription", "pattern_look", "pattern"):
        op.drop_table(table)
    op.drop_column("session", "product")
