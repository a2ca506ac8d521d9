"""Flows, their runs and deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import dispatch_policy, tenant_policy

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


TABLES = ("flow", "flow_run", "delivery", "suppression", "flow_signal")
ADD_ONLY = ("flow_version", "run_event", "conversion")


def upgrade() -> None:
    op.create_table(
        "conversion",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "key", name=op.f("pk_conversion")),
    )
    op.create_index(
        "ix_conversion_project_id_visitor_id", "conversion", ["project_id", "visitor_id", "occurred_at"], unique=False
    )
    op.create_table(
        "delivery",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('intent', 'accepted', 'rejected', 'suppressed', 'unknown', 'retry')",
            name=op.f("ck_delivery_status"),
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_delivery")),
    )
    op.create_index("ix_delivery_project_id_run_id", "delivery", ["project_id", "run_id"], unique=False)
    op.create_index("uq_delivery_dedupe_key", "delivery", ["project_id", "channel", "dedupe_key"], unique=True)
    op.create_table(
        "flow",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_flow")),
    )
    op.create_index("uq_flow_project_id_name", "flow", ["project_id", "name"], unique=True)
    op.create_table(
        "flow_run",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("trigger_key", sa.Text(), nullable=False),
        sa.Column("trigger_group", sa.Text(), nullable=False),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("exit_on_conversion", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=True),
        sa.Column("signal_key", sa.Text(), nullable=True),
        sa.Column("signalled", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'sending', 'done', 'cancelled', 'dead')", name=op.f("ck_flow_run_status")
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_flow_run")),
    )
    op.create_index(
        "ix_flow_run_due_at", "flow_run", ["due_at"], unique=False, postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.create_index("ix_flow_run_project_id_trigger_group", "flow_run", ["project_id", "trigger_group"], unique=False)
    op.create_index("ix_flow_run_project_id_visitor_id", "flow_run", ["project_id", "visitor_id"], unique=False)
    op.create_index(
        "ix_flow_run_signal",
        "flow_run",
        ["project_id", "signal", "signal_key"],
        unique=False,
        postgresql_where=sa.text("signal IS NOT NULL"),
    )
    op.create_index("uq_flow_run_trigger", "flow_run", ["project_id", "flow_id", "trigger_key"], unique=True)
    op.create_table(
        "flow_signal",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "name", "key", name=op.f("pk_flow_signal")),
    )
    op.create_table(
        "flow_version",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_flow_version")),
    )
    op.create_index("uq_flow_version_number", "flow_version", ["project_id", "flow_id", "number"], unique=True)
    op.create_table(
        "run_event",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_run_event")),
    )
    op.create_index("ix_run_event_project_id_run_id", "run_event", ["project_id", "run_id", "id"], unique=False)
    op.create_table(
        "suppression",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "channel", "recipient", name=op.f("pk_suppression")),
    )
    for table in TABLES:
        for statement in tenant_policy(table):
            op.execute(statement)
    for table in ADD_ONLY:
        # Nothing in these is ever rewritten; rows go when their visitor is erased.
        for statement in tenant_policy(table, grant="SELECT, INSERT, DELETE"):
            op.execute(statement)
    for statement in dispatch_policy(
        "flow_run",
        read=("project_id", "id", "due_at", "lease_until", "lease_token"),
        write=("lease_until", "lease_token"),
    ):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("suppression")
    op.drop_index("ix_run_event_project_id_run_id", table_name="run_event")
    op.drop_table("run_event")
    op.drop_index("uq_flow_version_number", table_name="flow_version")
    op.drop_table("flow_version")
    op.drop_table("flow_signal")
    op.drop_index("uq_flow_run_trigger", table_name="flow_run")
    op.drop_index("ix_flow_run_signal", table_name="flow_run", postgresql_where=sa.text("signal IS NOT NULL"))
    op.drop_index("ix_flow_run_project_id_visitor_id", table_name="flow_run")
    op.drop_index("ix_flow_run_project_id_trigger_group", table_name="flow_run")
    op.drop_index("ix_flow_run_due_at", table_name="flow_run", postgresql_where=sa.text("due_at IS NOT NULL"))
    op.drop_table("flow_run")
    op.drop_index("uq_flow_project_id_name", table_name="flow")
    op.drop_table("flow")
    op.drop_index("uq_delivery_dedupe_key", table_name="delivery")
    op.drop_index("ix_delivery_project_id_run_id", table_name="delivery")
    op.drop_table("delivery")
    op.drop_index("ix_conversion_project_id_visitor_id", table_name="conversion")
    op.drop_table("conversion")
