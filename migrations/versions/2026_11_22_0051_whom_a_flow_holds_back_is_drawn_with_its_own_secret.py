"""Whom a flow holds back is drawn with a secret of its own. Flows from before have none: nobody changes arms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.audit import audit_trigger

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("flow", sa.Column("salt", sa.Uuid()))
    op.alter_column("flow", "salt", server_default=sa.func.gen_random_uuid())
    _note(noise=["salt"])


def downgrade() -> None:
    _note(noise=[])
    op.drop_column("flow", "salt")


def _note(*, noise: list[str]) -> None:
    for statement in ("DROP TRIGGER audit ON flow", *audit_trigger("flow", "flow", noise=noise)):
        op.execute(statement)
