"""What waits for the next visit, and who subscribed to pushes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLES = ("kept_offer", "push_subscription")


def upgrade() -> None:
    op.create_table(
        "kept_offer",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_kept_offer")),
    )
    op.create_index("ix_kept_offer_project_id_visitor_id", "kept_offer", ["project_id", "visitor_id"])
    op.create_table(
        "push_subscription",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.Text(), nullable=True),
        sa.Column("auth", sa.Text(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('web', 'app')", name=op.f("ck_push_subscription_kind")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_push_subscription")),
    )
    op.create_index("ix_push_subscription_project_id_visitor_id", "push_subscription", ["project_id", "visitor_id"])
    for table in TABLES:
        for statement in tenant_policy(table):
            op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
