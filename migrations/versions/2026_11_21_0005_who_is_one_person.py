"""Who is one person: what was said of it, and what follows from it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_link",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name_kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("refused_users", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("subject_kind IN ('visitor', 'user_id')", name=op.f("ck_identity_link_subject_kind")),
        sa.CheckConstraint(
            "name_kind IN ('visitor', 'user_id', 'email', 'phone')", name=op.f("ck_identity_link_name_kind")
        ),
        sa.CheckConstraint("refused IN ('two_users', 'shared', 'too_many')", name=op.f("ck_identity_link_refused")),
        sa.PrimaryKeyConstraint(
            "project_id", "subject_kind", "subject", "name_kind", "name", name=op.f("pk_identity_link")
        ),
    )
    op.create_index("ix_identity_link_name", "identity_link", ["project_id", "name_kind", "name"], unique=False)
    op.create_table(
        "person",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "visitor_id", name=op.f("pk_person")),
    )
    op.create_index("ix_person_project_id_person_id", "person", ["project_id", "person_id"], unique=False)
    for table in ("identity_link", "person"):
        for statement in tenant_policy(table):
            op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_person_project_id_person_id", table_name="person")
    op.drop_table("person")
    op.drop_index("ix_identity_link_name", table_name="identity_link")
    op.drop_table("identity_link")
