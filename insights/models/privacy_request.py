"""A privacy request: what the law lets a person ask of a shop, and what was done about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalJson


class PrivacyRequest(Tenant, Base):
    """``who``: {"user_id", "email", "phone", "orders"}; empty once they are erased, empty from the start for a shop.

    ``outcome``: how many rows of which table were erased.
    """

    __tablename__ = "privacy_request"
    __table_args__ = (
        CheckConstraint("kind IN ('erase_person', 'erase_shop', 'export_person')", name="kind"),
        Index("ix_privacy_request_open", "project_id", "received_at", postgresql_where=text("done_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    who: Mapped[dict[str, Any]] = mapped_column(PersonalJson())
    asked_by: Mapped[str]
    received_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
