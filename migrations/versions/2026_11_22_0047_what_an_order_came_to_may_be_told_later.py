"""What an order came to may be told after the order: those two columns may be filled in, nothing else of it changes."""

from __future__ import annotations

from alembic import op

from adapters.postgres.tenancy import APP_ROLE

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(f"GRANT UPDATE (value_minor, currency) ON conversion TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE (value_minor, currency) ON conversion FROM {APP_ROLE}")
