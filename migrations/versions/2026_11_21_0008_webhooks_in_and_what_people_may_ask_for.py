"""Webhooks in: sources, receipts; and what people may ask a shop for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.tenancy import tenant_policy

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "webhook_source",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "provider IN ('shopify', 'klaviyo', 'braze', 'generic')", name=op.f("ck_webhook_source_provider")
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_webhook_source")),
    )
    op.create_table(
        "webhook_receipt",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "source_id", "webhook_id", name=op.f("pk_webhook_receipt")),
    )
    op.create_index(
        "ix_webhook_receipt_project_id_received_at", "webhook_receipt", ["project_id", "received_at"], unique=False
    )
    op.create_table(
        "privacy_request",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint(
            "kind IN ('erase_person', 'erase_shop', 'export_person')", name=op.f("ck_privacy_request_kind")
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_privacy_request")),
    )
    op.create_index(
        "ix_privacy_request_open",
        "privacy_request",
        ["project_id", "received_at"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    for table, grant in (
        ("webhook_source", "SELECT, INSERT, UPDATE"),
        ("webhook_receipt", "SELECT, INSERT, DELETE"),
        ("privacy_request", "SELECT, INSERT, UPDATE"),
    ):
        for statement in tenant_policy(table, grant=grant):
            op.execute(statement)


def downgrade() -> None:
    for table in ("privacy_request", "webhook_receipt", "webhook_source"):
        op.drop_table(table)
