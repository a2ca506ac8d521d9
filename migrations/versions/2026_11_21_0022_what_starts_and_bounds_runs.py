"""What starts and bounds runs: occurrences, words that flows listen for, schedules, a project's policy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import dispatch_policy, tenant_policy

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLES = ("flow_occurrence", "flow_watch", "flow_schedule", "flow_policy")
LEASED = ("lease_until", "lease_token")


def upgrade() -> None:
    op.add_column("flow_run", sa.Column("priority", sa.SmallInteger(), server_default="50", nullable=False))
    op.create_index(
        "ix_flow_run_flow_id_due_at", "flow_run", ["flow_id", "due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.execute("GRANT SELECT (flow_id) ON flow_run TO whyleft_dispatch")
    op.create_table(
        "flow_occurrence",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("trigger_key", sa.Text(), nullable=False),
        sa.Column("trigger_group", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_flow_occurrence")),
    )
    op.create_index("ix_flow_occurrence_due_at", "flow_occurrence", ["due_at"])
    op.create_table(
        "flow_watch",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "flow_id", "event", "name", name=op.f("pk_flow_watch")),
    )
    op.create_table(
        "flow_schedule",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cursor", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_flow_schedule")),
    )
    op.create_index("ix_flow_schedule_due_at", "flow_schedule", ["due_at"])
    op.create_table(
        "flow_policy",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("caps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("quiet_hours", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_flow_policy")),
    )
    op.create_index("ix_delivery_project_id_visitor_id", "delivery", ["project_id", "visitor_id", "created_at"])
    op.create_index("ix_delivery_recipient", "delivery", ["project_id", "channel", "recipient", "created_at"])
    for table in TABLES:
        for statement in tenant_policy(table):
            op.execute(statement)
    for table in ("flow_occurrence", "flow_schedule"):
        for statement in dispatch_policy(table, read=("project_id", "id", "due_at", *LEASED), write=LEASED):
            op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_delivery_recipient", table_name="delivery")
    op.drop_index("ix_delivery_project_id_visitor_id", table_name="delivery")
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("REVOKE SELECT (flow_id) ON flow_run FROM whyleft_dispatch")
    op.drop_index("ix_flow_run_flow_id_due_at", table_name="flow_run")
    op.drop_column("flow_run", "priority")
