"""Who told of an order is kept: a server that proves itself, or pages, which may say any number.

Of older orders it is not known. They count as a server's, so that nobody takes them over.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import APP_ROLE, tenant_policy

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversion", sa.Column("by_server", sa.Boolean(), nullable=False, server_default=sa.true()))
    # Processes of the code before, which go on during an upgrade, do not say who told.
    op.alter_column("conversion", "by_server", server_default=sa.false())
    op.execute(f"GRANT UPDATE (occurred_at, by_server) ON conversion TO {APP_ROLE}")
    op.create_table(
        "order_claim",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "key", "visitor_id", name=op.f("pk_order_claim")),
    )
    op.create_index("ix_order_claim_project_id_visitor_id", "order_claim", ["project_id", "visitor_id"])
    for statement in tenant_policy("order_claim"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("order_claim")
    op.execute(f"REVOKE UPDATE (occurred_at) ON conversion FROM {APP_ROLE}")
    op.drop_column("conversion", "by_server")
