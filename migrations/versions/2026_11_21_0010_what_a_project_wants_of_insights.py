"""What a project wants of insights, what its models cost, what people said of insights; a model's answer is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("calls", "tokens_in", "tokens_out"):
        op.add_column("insight", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("insight", sa.Column("cost_micros", sa.BigInteger(), nullable=True))
    op.add_column("insight", sa.Column("question_key", sa.Text(), nullable=True))
    op.add_column("insight", sa.Column("answer", postgresql.JSONB(), nullable=True))
    op.create_index(
        "ix_insight_project_id_question_key",
        "insight",
        ["project_id", "question_key"],
        postgresql_where=sa.text("question_key IS NOT NULL"),
    )
    op.create_table(
        "insight_setting",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("use_model", sa.Boolean(), nullable=True),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("api_key", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("withheld", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("price_in", sa.Float(), nullable=True),
        sa.Column("price_out", sa.Float(), nullable=True),
        sa.Column("daily_ceiling_micros", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_insight_setting")),
    )
    op.create_table(
        "model_spend",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("project_id", "day", name=op.f("pk_model_spend")),
    )
    op.create_table(
        "insight_feedback",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("insight_id", sa.Uuid(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("said IN ('right', 'wrong', 'other')", name=op.f("ck_insight_feedback_said")),
        sa.CheckConstraint("(said = 'wrong') = (reason IS NULL)", name=op.f("ck_insight_feedback_reason")),
        sa.PrimaryKeyConstraint("project_id", "session_id", name=op.f("pk_insight_feedback")),
    )
    for table in ("insight_setting", "model_spend", "insight_feedback"):
        for statement in tenant_policy(table):
            op.execute(statement)


def downgrade() -> None:
    for table in ("insight_feedback", "model_spend", "insight_setting"):
        op.drop_table(table)
    op.drop_index("ix_insight_project_id_question_key", table_name="insight")
    for name in ("answer", "question_key", "cost_micros", "tokens_out", "tokens_in", "calls"):
        op.drop_column("insight", name)
