"""A visitor: one person on one device, with what they told the shop about themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalJson, PersonalText


class Visitor(Tenant, Base):
    """``consent`` is the latest consent_changed: {"analytics", "marketing", "channels", "at"}. ``said_at``: when each
    of user_id, email, phone and traits was said, so that what is said last counts, not what is heard of last.

    ``version`` grows with everything that a profile is built from, by one for each event and each decision: a profile
    of the same version lacks nothing. Whoever changes what ``rebuild`` would return adds to it.
    """

    __tablename__ = "visitor"
    __table_args__ = (
        Index("ix_visitor_project_id_email", "project_id", "email", postgresql_where=text("email IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_seen_at: Mapped[datetime]
    user_id: Mapped[str | None] = mapped_column(PersonalText(addresses=True))
    email: Mapped[str | None] = mapped_column(PersonalText())
    phone: Mapped[str | None] = mapped_column(PersonalText())
    traits: Mapped[dict[str, Any]] = mapped_column(PersonalJson(), server_default="{}")
    consent: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    said_at: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    identified_at: Mapped[datetime | None]
    consented_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
