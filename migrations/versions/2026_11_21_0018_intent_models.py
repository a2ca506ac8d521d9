"""Intent models: versions of what visits are scored by, with what each was judged by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intent_model",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trained_through", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("role IN ('incumbent', 'candidate', 'retired')", name=op.f("ck_intent_model_role")),
        sa.PrimaryKeyConstraint("project_id", "version", name=op.f("pk_intent_model")),
    )
    op.create_index(
        "uq_intent_model_incumbent",
        "intent_model",
        ["project_id"],
        unique=True,
        postgresql_where=sa.text("role = 'incumbent'"),
    )
    for statement in tenant_policy("intent_model"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("intent_model")
