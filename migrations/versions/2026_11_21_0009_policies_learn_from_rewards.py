"""Policies learn from rewards: decisions keep their situation, rewards and their sums, what a shop says of itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("shop", "policy", "policy_snapshot", "reward", "policy_bucket")


def _at(name: str, *, nullable: bool = False, default: bool = False) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text("now()") if default else None,
        nullable=nullable,
    )


def _jsonb(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=nullable)


def upgrade() -> None:
    for column in (
        sa.Column("situation", postgresql.ARRAY(sa.Double()), nullable=True),
        sa.Column("situation_version", sa.Integer(), nullable=True),
        sa.Column("rules", sa.Text(), nullable=True),
        sa.Column("say", sa.Double(), nullable=True),
    ):
        op.add_column("decision", column)
    # Whoever learns looks for the visits that ended since, and for what was given back since.
    op.create_index("ix_session_project_id_closed_at", "session", ["project_id", "closed_at"])
    op.create_index(
        "ix_event_refunded", "event", ["project_id", "received_at"], postgresql_where=sa.text("type = 'refunded'")
    )
    op.create_table(
        "shop",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("holdout", sa.Double(), server_default="0", nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("margin_rate", sa.Double(), nullable=True),
        sa.Column("shipping_cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("free_shipping_from_minor", sa.BigInteger(), nullable=True),
        sa.Column("contact_href", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        _at("updated_at", default=True),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_shop")),
    )
    op.create_table(
        "policy",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _jsonb("settings"),
        sa.Column("role", sa.Text(), nullable=False),
        _at("created_at"),
        sa.CheckConstraint("role IN ('incumbent', 'challenger', 'retired')", name=op.f("ck_policy_role")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_policy")),
    )
    op.create_index(
        "uq_policy_incumbent", "policy", ["project_id"], unique=True, postgresql_where=sa.text("role = 'incumbent'")
    )
    op.create_index("uq_policy_project_id_name", "policy", ["project_id", "name"], unique=True)
    op.create_table(
        "policy_snapshot",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("situation_version", sa.Integer(), nullable=False),
        _at("made_at"),
        sa.Column("outcomes", sa.Double(), nullable=False),
        sa.Column("memory", sa.Integer(), nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "version", name=op.f("pk_policy_snapshot")),
    )
    op.create_table(
        "reward",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        _at("decided_at"),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        _at("counted_at"),
        sa.PrimaryKeyConstraint("project_id", "decision_id", name=op.f("pk_reward")),
    )
    op.create_index("ix_reward_project_id_bucket", "reward", ["project_id", "bucket"])
    op.create_table(
        "policy_bucket",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("situation_version", sa.Integer(), nullable=False),
        sa.Column("outcomes", sa.Integer(), nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=True),
        _at("summed_at", nullable=True),
        sa.PrimaryKeyConstraint("project_id", "number", name=op.f("pk_policy_bucket")),
    )
    op.create_table(
        "policy_change",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        _at("at"),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("replaced_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        _jsonb("evaluation", nullable=True),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_policy_change")),
    )
    for table in TABLES:
        for statement in tenant_policy(table):
            op.execute(statement)
    for statement in tenant_policy("policy_change", grant="SELECT, INSERT"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("policy_change")
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_event_refunded", table_name="event")
    op.drop_index("ix_session_project_id_closed_at", table_name="session")
    for column in ("say", "rules", "situation_version", "situation"):
        op.drop_column("decision", column)
