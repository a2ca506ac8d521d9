"""Channels of projects, what their providers report, and how fast each may send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KINDS = (
    "'delivered', 'deferred', 'bounced', 'rejected', 'complained', 'unsubscribed', 'resubscribed', 'opened', 'clicked'"
)


def upgrade() -> None:
    op.create_table(
        "channel",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("credentials", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_channel")),
    )
    op.create_index("uq_channel_name", "channel", ["project_id", "name"], unique=True)
    op.create_table(
        "provider_event",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "channel_id", "event_id", name=op.f("pk_provider_event")),
    )
    op.create_table(
        "delivery_event",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_delivery_event_kind")),
        sa.PrimaryKeyConstraint("project_id", "delivery_id", "kind", "at", name=op.f("pk_delivery_event")),
    )
    op.create_index("ix_delivery_event_project_id_visitor_id", "delivery_event", ["project_id", "visitor_id"])
    op.create_table(
        "rate_bucket",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_rate_bucket")),
    )
    op.add_column("delivery", sa.Column("channel_id", sa.Uuid(), nullable=True))
    op.add_column("delivery", sa.Column("fate", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_delivery_fate"), "delivery", "fate IN ('deferred', 'delivered', 'rejected', 'bounced', 'complained')"
    )
    op.create_index(
        "ix_delivery_provider_id",
        "delivery",
        ["project_id", "provider_id"],
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )
    for table in ("channel", "provider_event", "delivery_event", "rate_bucket"):
        for statement in tenant_policy(table):
            op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_delivery_provider_id", "delivery")
    op.drop_constraint(op.f("ck_delivery_fate"), "delivery", type_="check")
    op.drop_column("delivery", "fate")
    op.drop_column("delivery", "channel_id")
    for table in ("rate_bucket", "delivery_event", "provider_event", "channel"):
        op.drop_table(table)
