"""Sessions know what they came to and why, so that lists and reports count them without joining their insights."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


_FILL = sa.text("""
UPDATE session SET kind = insight.kind, reason = insight.reason
FROM insight
WHERE insight.project_id = session.project_id AND insight.session_id = session.id AND insight.superseded_at IS NULL
""")


def upgrade() -> None:
    op.add_column("session", sa.Column("kind", sa.Text()))
    op.add_column("session", sa.Column("reason", sa.Text()))
    connection = op.get_bind()
    for (project,) in connection.execute(sa.text("SELECT id FROM project")).all():
        # Row-level security holds for the owner too.
        connection.execute(sa.text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project)})
        connection.execute(_FILL)
    connection.execute(sa.text("SELECT set_config('whyleft.project_id', '', true)"))


def downgrade() -> None:
    op.drop_column("session", "reason")
    op.drop_column("session", "kind")
