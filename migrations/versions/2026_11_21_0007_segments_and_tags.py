"""Segments of visitors, and their tags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("segment", "segment_member", "visitor_tag")


def upgrade() -> None:
    op.create_table(
        "segment",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("condition", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_segment")),
    )
    op.create_index("uq_segment_project_id_name", "segment", ["project_id", "name"], unique=True)
    op.create_table(
        "segment_member",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "segment_id", "visitor_id", name=op.f("pk_segment_member")),
    )
    op.create_index("ix_segment_member_project_id_visitor_id", "segment_member", ["project_id", "visitor_id"])
    op.create_table(
        "visitor_tag",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "visitor_id", "tag", name=op.f("pk_visitor_tag")),
    )
    op.create_index("ix_visitor_tag_project_id_tag", "visitor_tag", ["project_id", "tag"])
    for table in TABLES:
        for statement in tenant_policy(table):
            op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_visitor_tag_project_id_tag", table_name="visitor_tag")
    op.drop_table("visitor_tag")
    op.drop_index("ix_segment_member_project_id_visitor_id", table_name="segment_member")
    op.drop_table("segment_member")
    op.drop_index("uq_segment_project_id_name", table_name="segment")
    op.drop_table("segment")
