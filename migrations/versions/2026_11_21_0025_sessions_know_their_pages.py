"""Sessions know the paths they saw, so that a list by page reads no events; filters are kept under a name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


_FILL = sa.text("""
UPDATE session SET paths = seen.paths
FROM (
    SELECT project_id, session_id, array_agg(DISTINCT path) AS paths
    FROM (
        SELECT project_id, session_id, coalesce(
            CASE WHEN type = 'page_viewed' THEN nullif(props->>'path', '') END,
            nullif(substring(url FROM '^(?\\:[A-Za-z][A-Za-z0-9+.-]*\\:)?(?\\://[^/?#]*)?([^?#]*)'), '')
        ) AS path
        FROM event
    ) AS each
    WHERE path IS NOT NULL
    GROUP BY project_id, session_id
) AS seen
WHERE session.project_id = seen.project_id AND session.id = seen.session_id AND session.closed_at IS NOT NULL
""")


def upgrade() -> None:
    op.add_column(
        "session", sa.Column("paths", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    connection = op.get_bind()
    for (project,) in connection.execute(sa.text("SELECT id FROM project")).all():
        # Row-level security holds for the owner too.
        connection.execute(sa.text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project)})
        connection.execute(_FILL)
    connection.execute(sa.text("SELECT set_config('whyleft.project_id', '', true)"))
    op.create_table(
        "saved_view",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_saved_view")),
    )
    op.create_index("uq_saved_view_project_id_name", "saved_view", ["project_id", "name"], unique=True)
    for statement in tenant_policy("saved_view"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("saved_view")
    op.drop_column("session", "paths")
