"""Codes that the shop's own system knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import tenant_policy

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mirrored_code",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "code", name=op.f("pk_mirrored_code")),
    )
    op.create_index("ix_discount_code_project_id_issued_at", "discount_code", ["project_id", "issued_at"])
    for statement in tenant_policy("mirrored_code"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_discount_code_project_id_issued_at", table_name="discount_code")
    op.drop_table("mirrored_code")
