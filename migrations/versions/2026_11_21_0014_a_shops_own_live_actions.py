"""A shop's own live actions, what they gave away, and how often somebody had a turn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("live_action", "live_spend", "live_claim")


def upgrade() -> None:
    op.create_table(
        "live_action",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("stages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_live_action")),
    )
    op.create_index("uq_live_action_project_id_name", "live_action", ["project_id", "name"], unique=True)
    op.create_table(
        "live_spend",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("action_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column("given", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "action_id", "day", name=op.f("pk_live_spend")),
    )
    op.create_table(
        "live_claim",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "scope", "key", "period", name=op.f("pk_live_claim")),
    )
    op.add_column("decision", sa.Column("entry_id", sa.Uuid(), nullable=True))
    op.add_column("decision", sa.Column("given_minor", sa.BigInteger(), nullable=True))
    for table in TABLES:
        for statement in tenant_policy(table):
            op.execute(statement)


def downgrade() -> None:
    op.drop_column("decision", "given_minor")
    op.drop_column("decision", "entry_id")
    for table in reversed(TABLES):
        op.drop_table(table)
