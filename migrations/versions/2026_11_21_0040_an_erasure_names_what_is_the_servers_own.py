"""An erasure names what is the server's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_BEFORE = "status IN ('waiting', 'done', 'by_hand', 'kept', 'failed')"
_SINCE = "status IN ('waiting', 'done', 'by_hand', 'kept', 'nameless', 'failed')"


def upgrade() -> None:
    _statuses(_SINCE)
    op.alter_column("provider_erasure", "channel_id", nullable=True)
    op.create_index(
        "uq_provider_erasure_servers",
        "provider_erasure",
        ["project_id", "request_id", "kind"],
        unique=True,
        postgresql_where=sa.text("channel_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_provider_erasure_servers", "provider_erasure")
    # Seen by whoever owns the table alone: row-level security is forced on everybody else.
    op.execute("ALTER TABLE provider_erasure NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM provider_erasure WHERE channel_id IS NULL OR status = 'nameless'")
    op.execute("ALTER TABLE provider_erasure FORCE ROW LEVEL SECURITY")
    op.alter_column("provider_erasure", "channel_id", nullable=False)
    _statuses(_BEFORE)


def _statuses(known: str) -> None:
    op.drop_constraint(op.f("ck_provider_erasure_status"), "provider_erasure", type_="check")
    op.create_check_constraint(op.f("ck_provider_erasure_status"), "provider_erasure", known)
