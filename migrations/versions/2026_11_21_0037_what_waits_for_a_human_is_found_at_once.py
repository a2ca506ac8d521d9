"""What waits for a human is found at once: runs that gave up, and messages of which nobody knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_flow_run_dead", "flow_run", ["project_id", "ended_at"], postgresql_where=sa.text("status = 'dead'")
    )
    op.create_index(
        "ix_delivery_unknown",
        "delivery",
        ["project_id", "created_at"],
        postgresql_where=sa.text("status = 'unknown' AND fate IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_unknown", table_name="delivery")
    op.drop_index("ix_flow_run_dead", table_name="flow_run")
