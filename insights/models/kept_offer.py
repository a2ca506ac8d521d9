"""A kept offer: something to show a visitor at their next visit, put there by a flow."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class KeptOffer(Tenant, Base):
    """``definition`` is a catalogue entry. It was shown once there is a claim of the scope ``kept`` with its id."""

    __tablename__ = "kept_offer"
    __table_args__ = (Index("ix_kept_offer_project_id_visitor_id", "project_id", "visitor_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    run_id: Mapped[UUID]
    definition: Mapped[dict[str, Any]]
    kept_at: Mapped[datetime]
    expires_at: Mapped[datetime]
