"""What providers were asked to erase."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import dispatch_policy, tenant_policy

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

LEASED = ("lease_until", "lease_token")


def upgrade() -> None:
    op.create_table(
        "provider_erasure",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "status IN ('waiting', 'done', 'by_hand', 'kept', 'failed')", name=op.f("ck_provider_erasure_status")
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_provider_erasure")),
    )
    op.create_index(
        "uq_provider_erasure_channel", "provider_erasure", ["project_id", "request_id", "channel_id"], unique=True
    )
    op.create_index(
        "ix_provider_erasure_due_at", "provider_erasure", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    for statement in tenant_policy("provider_erasure"):
        op.execute(statement)
    for statement in dispatch_policy("provider_erasure", read=("project_id", "id", "due_at", *LEASED), write=LEASED):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("provider_erasure")
