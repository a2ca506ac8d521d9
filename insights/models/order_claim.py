"""An order claim: a visit that says an order was placed in it, which anybody can say with the public key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class OrderClaim(Tenant, Base):
    """``key``: the order's number as it was said; ``told_at``: when that arrived first, by our clock."""

    __tablename__ = "order_claim"
    __table_args__ = (Index("ix_order_claim_project_id_visitor_id", "project_id", "visitor_id"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID]
    told_at: Mapped[datetime]
