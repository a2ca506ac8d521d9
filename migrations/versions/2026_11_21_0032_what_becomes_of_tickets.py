"""What becomes of tickets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import tenant_policy

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ticket_watch",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sessions_told", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.CheckConstraint("closed_by IN ('them', 'us')", name=op.f("ck_ticket_watch_closed_by")),
        sa.PrimaryKeyConstraint("project_id", "delivery_id", name=op.f("pk_ticket_watch")),
    )
    op.create_index(
        "ix_ticket_watch_open",
        "ticket_watch",
        ["project_id", "looked_at"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    for statement in tenant_policy("ticket_watch"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("ticket_watch")
