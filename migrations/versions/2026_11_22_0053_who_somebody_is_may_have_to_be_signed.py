"""Who somebody is may have to be signed by the shop's server: the secret of each project, and how many claims were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.audit import audit_trigger
from adapters.postgres.tenancy import tenant_policy

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("project", sa.Column("identity_mode", sa.Text(), nullable=False, server_default="off"))
    op.create_check_constraint("identity_mode", "project", "identity_mode IN ('off', 'observe', 'required')")
    op.create_table(
        "identity_secret",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_identity_secret")),
    )
    op.create_table(
        "identity_claim",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "day", "name", "verdict", name=op.f("pk_identity_claim")),
        sa.CheckConstraint("name IN ('user_id', 'email', 'phone')", name=op.f("ck_identity_claim_name")),
        sa.CheckConstraint("verdict IN ('signed', 'unsigned', 'wrong')", name=op.f("ck_identity_claim_verdict")),
    )
    for table in ("identity_secret", "identity_claim"):
        for statement in tenant_policy(table):
            op.execute(statement)
    for statement in audit_trigger("identity_secret", "identity secret", secrets=["sealed"]):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("identity_claim")
    op.drop_table("identity_secret")
    op.drop_column("project", "identity_mode")
