"""Sessions know the live actions that they were shown, so that a list by action reads no events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


_FILL = sa.text("""
UPDATE session SET shown = seen.actions
FROM (
    SELECT project_id, session_id, array_agg(DISTINCT props->>'action') AS actions
    FROM event
    WHERE type = 'action_shown' AND props->>'action' IS NOT NULL
    GROUP BY project_id, session_id
) AS seen
WHERE session.project_id = seen.project_id AND session.id = seen.session_id AND session.closed_at IS NOT NULL
""")


def upgrade() -> None:
    op.add_column(
        "session", sa.Column("shown", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    connection = op.get_bind()
    for (project,) in connection.execute(sa.text("SELECT id FROM project")).all():
        # Row-level security holds for the owner too.
        connection.execute(sa.text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project)})
        connection.execute(_FILL)
    connection.execute(sa.text("SELECT set_config('whyleft.project_id', '', true)"))


def downgrade() -> None:
    op.drop_column("session", "shown")
