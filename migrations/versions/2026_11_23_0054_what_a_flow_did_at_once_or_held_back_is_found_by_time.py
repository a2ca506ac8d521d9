"""Lift asks when flows kept something for a next visit, or held something back: all of it is found by time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

HELD_OUT = sa.text("what = 'skipped' AND detail LIKE 'held_out:%'")
MOMENT = sa.text("what = 'done' OR what = 'skipped' AND (detail LIKE 'held_out:%' OR detail LIKE 'flow_holdout:%')")


def upgrade() -> None:
    op.create_index("ix_run_event_moment", "run_event", ["project_id", "at"], postgresql_where=MOMENT)
    op.drop_index("ix_run_event_held_out", table_name="run_event")


def downgrade() -> None:
    op.create_index("ix_run_event_held_out", "run_event", ["project_id", "at"], postgresql_where=HELD_OUT)
    op.drop_index("ix_run_event_moment", table_name="run_event")
