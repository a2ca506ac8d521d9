"""A push subscription: a browser or an app that may be written to while nobody is there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalText


class PushSubscription(Tenant, Base):
    """``address`` is the browser's endpoint, or the app's token; ``p256dh`` and ``auth`` are a browser's keys.

    ``id`` is made of the address: the same browser is one row, of the visitor who told it last.
    """

    __tablename__ = "push_subscription"
    __table_args__ = (
        CheckConstraint("kind IN ('web', 'app')", name="kind"),
        Index("ix_push_subscription_project_id_visitor_id", "project_id", "visitor_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    kind: Mapped[str]
    address: Mapped[str] = mapped_column(PersonalText())
    p256dh: Mapped[str | None] = mapped_column(PersonalText())
    auth: Mapped[str | None] = mapped_column(PersonalText())
    told_at: Mapped[datetime]
