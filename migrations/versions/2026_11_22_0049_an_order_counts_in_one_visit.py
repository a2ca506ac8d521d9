"""An order knows the visit that it was placed in. Of older orders that is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.tenancy import APP_ROLE

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversion", sa.Column("session_id", sa.Uuid()))
    op.execute(f"GRANT UPDATE (visitor_id, session_id) ON conversion TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE (visitor_id) ON conversion FROM {APP_ROLE}")
    op.drop_column("conversion", "session_id")
