"""When each name of a visitor was said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    said_at = sa.Column("said_at", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False)
    op.add_column("visitor", said_at)


def downgrade() -> None:
    op.drop_column("visitor", "said_at")
