"""A discount code that the shop's own system was told of."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class MirroredCode(Tenant, Base):
    """``error``: why the shop's system did not take it; NULL where it did."""

    __tablename__ = "mirrored_code"

    code: Mapped[str] = mapped_column(primary_key=True)
    channel_id: Mapped[UUID]
    at: Mapped[datetime]
    error: Mapped[str | None]
