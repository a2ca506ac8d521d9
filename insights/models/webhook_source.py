"""A webhook source: somebody who reports to this project, and the secret their reports are signed with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class WebhookSource(Tenant, Base):
    """``sealed`` is the secret, readable only with the server's own."""

    __tablename__ = "webhook_source"
    __table_args__ = (CheckConstraint("provider IN ('shopify', 'klaviyo', 'braze', 'generic')", name="provider"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[str]
    name: Mapped[str]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
