"""Deliveries by time: what went out, and what went wrong, lately."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_delivery_project_id_created_at", "delivery", ["project_id", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_delivery_project_id_created_at", "delivery")
