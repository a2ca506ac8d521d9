"""An insight keeps what it rests on: late events that change none of it leave the session closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("insight", sa.Column("outcome_hash", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("insight", "outcome_hash")
