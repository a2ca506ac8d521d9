"""Who came into segments and fell out of them, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import tenant_policy

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

# Who is in one now came in then. Who fell out before this is not known any more.
_FILL = sa.text("""
INSERT INTO segment_move (project_id, segment_id, visitor_id, at, entered)
SELECT project_id, segment_id, visitor_id, since, true FROM segment_member
""")


def upgrade() -> None:
    op.create_table(
        "segment_move",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_segment_move")),
    )
    op.create_index("ix_segment_move_at", "segment_move", ["project_id", "segment_id", "at"])
    op.create_index("ix_segment_move_visitor_id", "segment_move", ["project_id", "visitor_id"])
    for statement in tenant_policy("segment_move"):
        op.execute(statement)
    connection = op.get_bind()
    for (project,) in connection.execute(sa.text("SELECT id FROM project")).all():
        # Rows are seen and written as their project's own.
        connection.execute(sa.text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project)})
        connection.execute(_FILL)
    connection.execute(sa.text("SELECT set_config('whyleft.project_id', '', true)"))


def downgrade() -> None:
    op.drop_table("segment_move")
