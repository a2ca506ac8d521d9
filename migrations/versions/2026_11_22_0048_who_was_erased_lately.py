"""Who was erased lately, as keyed hashes: what a browser kept from before must not make them known anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import tenant_policy

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erased_visitor",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "digest", name=op.f("pk_erased_visitor")),
    )
    for statement in tenant_policy("erased_visitor"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("erased_visitor")
