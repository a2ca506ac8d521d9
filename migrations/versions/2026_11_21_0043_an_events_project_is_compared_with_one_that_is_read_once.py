"""The project of a transaction is read once for all events that a statement adds, not for each of them."""

from __future__ import annotations

from alembic import op

from adapters.postgres.tenancy import CURRENT_PROJECT

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The rule is the same. Only what is written is held to it so: what is read is looked for in an index by the
    # project, and the planner must be able to see which one.
    op.execute(f"ALTER POLICY tenant ON event WITH CHECK (project_id = (SELECT {CURRENT_PROJECT}))")


def downgrade() -> None:
    op.execute(f"ALTER POLICY tenant ON event WITH CHECK (project_id = {CURRENT_PROJECT})")
