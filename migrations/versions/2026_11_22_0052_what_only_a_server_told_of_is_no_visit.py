"""Orders that only a server told of, and that were taken for visits, are looked at again: the worker finds them none.

Their orders say where they are stored, as newer ones do.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


_LOOK_AGAIN = sa.text("""
WITH told AS (
    SELECT session.project_id, session.id, session.visitor_id, session.started_at, session.last_event_at
    FROM session
    WHERE session.purchased AND NOT EXISTS (
        SELECT FROM event
        WHERE event.project_id = session.project_id AND event.session_id = session.id AND NOT (
            event.tab IN ('segment', 'ga4', 'shopify_pixel', 'shopify', 'generic')
            AND event.type IN ('purchased', 'identified', 'consent_changed', 'refunded')))
), stored AS (
    UPDATE conversion SET session_id = told.id FROM told
    WHERE conversion.project_id = told.project_id AND conversion.visitor_id = told.visitor_id
        AND conversion.session_id IS NULL
        AND conversion.occurred_at BETWEEN told.started_at AND told.last_event_at
)
UPDATE session SET close_at = now() FROM told
WHERE session.project_id = told.project_id AND session.id = told.id AND session.closed_at IS NOT NULL
""")


def upgrade() -> None:
    connection = op.get_bind()
    for (project,) in connection.execute(sa.text("SELECT id FROM project")).all():
        # Row-level security holds for the owner too.
        connection.execute(sa.text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project)})
        connection.execute(_LOOK_AGAIN)
    connection.execute(sa.text("SELECT set_config('whyleft.project_id', '', true)"))


def downgrade() -> None:
    """What was found to be no visit is none by the code before, too."""
