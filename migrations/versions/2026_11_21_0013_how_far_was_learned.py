"""How far was learned: what ended before has been counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shop", sa.Column("learned_through", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("shop", "learned_through")
