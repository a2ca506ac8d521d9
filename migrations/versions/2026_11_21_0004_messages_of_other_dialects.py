"""Messages of other dialects: where each one's event was put."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import tenant_policy

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dialect_message",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("session_name", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_dialect_message")),
    )
    op.create_index(
        "ix_dialect_message_project_id_visitor_id",
        "dialect_message",
        ["project_id", "visitor_id", "occurred_at"],
        unique=False,
    )
    op.create_index(
        "ix_dialect_message_project_id_received_at", "dialect_message", ["project_id", "received_at"], unique=False
    )
    # A place that was given is never changed.
    for statement in tenant_policy("dialect_message", grant="SELECT, INSERT, DELETE"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("dialect_message")
