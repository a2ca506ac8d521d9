"""Runs of a flow by time, and messages that were not accepted: lists that took longer the more there ever was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_flow_run_started_at", "flow_run", ["project_id", "flow_id", "started_at", "id"])
    op.create_index(
        "ix_delivery_not_accepted",
        "delivery",
        ["project_id", "status", "created_at", "id"],
        postgresql_where=sa.text("status <> 'accepted'"),
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_not_accepted", table_name="delivery")
    op.drop_index("ix_flow_run_started_at", table_name="flow_run")
