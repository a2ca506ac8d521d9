"""Keys have a role and scopes, are rotated with an overlap, and tell when they were last used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ROLE = "CASE kind WHEN 'write' THEN role IS NULL ELSE COALESCE(role IN ('reader', 'editor', 'admin'), false) END"


def upgrade() -> None:
    op.add_column("api_key", sa.Column("name", sa.Text(), server_default="", nullable=False))
    op.add_column("api_key", sa.Column("role", sa.Text(), nullable=True))
    op.add_column("api_key", sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))
    for name in ("last_used_at", "expires_at"):
        op.add_column("api_key", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_key", sa.Column("replaced_by", sa.Uuid(), nullable=True))
    # A policy would hide every row from its own table's owner here.
    op.execute("ALTER TABLE api_key NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE api_key SET role = 'admin' WHERE kind = 'secret'")
    op.execute("ALTER TABLE api_key FORCE ROW LEVEL SECURITY")
    op.create_check_constraint("role", "api_key", ROLE)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_api_key_role"), "api_key")
    for name in ("replaced_by", "expires_at", "last_used_at", "scopes", "role", "name"):
        op.drop_column("api_key", name)
