"""What data platforms were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import tenant_policy

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "platform_feed",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("through_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("through_id", sa.Uuid(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("what IN ('decision', 'insight')", name=op.f("ck_platform_feed_what")),
        sa.PrimaryKeyConstraint("project_id", "channel_id", "what", name=op.f("pk_platform_feed")),
    )
    for statement in tenant_policy("platform_feed"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("platform_feed")
