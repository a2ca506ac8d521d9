"""What bounds messages: which ones caps count, when a postponed one was due, slots booked at a provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("flow_run", sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("delivery", sa.Column("marketing", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("rate_bucket", sa.Column("booked_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("rate_bucket", "booked_until")
    op.drop_column("delivery", "marketing")
    op.drop_column("flow_run", "wanted_at")
