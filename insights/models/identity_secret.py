"""An identity secret: what the shop's server signs its customers' ids with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class IdentitySecret(Tenant, Base):
    """``sealed`` is the secret, readable only with the server's own. ``expires_at``: until when one that another took
    the place of is good; NULL: it is the one in use."""

    __tablename__ = "identity_secret"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
