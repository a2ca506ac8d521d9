"""Consents with the text they were given to, and what a project keeps of its visitors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.audit import audit_trigger
from adapters.postgres.tenancy import tenant_policy

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("analytics", sa.Boolean(), nullable=True),
        sa.Column("marketing", sa.Boolean(), nullable=True),
        sa.Column("channels", postgresql.JSONB(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("text_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "visitor_id", "event_id", name=op.f("pk_consent")),
    )
    op.create_table(
        "privacy_setting",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=True),
        sa.Column("extra_fields", postgresql.JSONB(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_privacy_setting")),
    )
    for table in ("consent", "privacy_setting"):
        for statement in tenant_policy(table):
            op.execute(statement)
    for statement in audit_trigger("privacy_setting", "privacy settings", ids=["project_id"], noise=["updated_at"]):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("privacy_setting")
    op.drop_table("consent")
