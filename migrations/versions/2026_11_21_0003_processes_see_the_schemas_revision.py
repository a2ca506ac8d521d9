"""A process that owns nothing may see which revision the schema is at: only then is it ready."""

from __future__ import annotations

from alembic import op

from adapters.postgres.engine import APP_ROLE

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(f"GRANT SELECT ON alembic_version TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"REVOKE SELECT ON alembic_version FROM {APP_ROLE}")
