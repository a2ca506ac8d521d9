"""A consent: what a visitor agreed to, or took back, at one moment, and to which text."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Consent(Tenant, Base):
    """One consent_changed event, never changed. What was not said is NULL.

    ``version`` and ``text_id`` name the text that was agreed to, as the page said. What holds now is
    ``Visitor.consent``.
    """

    __tablename__ = "consent"

    visitor_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    said_at: Mapped[datetime]
    received_at: Mapped[datetime]
    analytics: Mapped[bool | None]
    marketing: Mapped[bool | None]
    channels: Mapped[list[Any] | None]
    version: Mapped[str | None]
    text_id: Mapped[str | None]
