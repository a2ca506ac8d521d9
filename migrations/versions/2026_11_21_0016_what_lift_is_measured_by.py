"""What lift is measured by: what was held back from whom, and since when which share is held out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

HELD_OUT = sa.text("what = 'skipped' AND detail LIKE 'held_out:%'")


def upgrade() -> None:
    op.add_column("decision", sa.Column("held_back", sa.Text(), nullable=True))
    op.create_index("ix_decision_project_id_decided_at", "decision", ["project_id", "decided_at"])
    op.add_column("shop", sa.Column("holdout_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("shop", sa.Column("holdout_before", sa.Float(), nullable=True))
    op.create_index("ix_run_event_held_out", "run_event", ["project_id", "at"], postgresql_where=HELD_OUT)


def downgrade() -> None:
    op.drop_index("ix_run_event_held_out", table_name="run_event")
    op.drop_column("shop", "holdout_before")
    op.drop_column("shop", "holdout_since")
    op.drop_index("ix_decision_project_id_decided_at", table_name="decision")
    op.drop_column("decision", "held_back")
