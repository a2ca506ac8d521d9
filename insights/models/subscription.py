"""Who is told of patterns and gets reports, and what each of them was sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Subscription(Tenant, Base):
    """An e-mail address, or a webhook with the secret that signs its posts (sealed).

    ``patterns``: told of each new one. ``report``: daily or weekly, or NULL for none; ``report_at`` is the next one's.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        CheckConstraint("channel IN ('email', 'webhook')", name="channel"),
        CheckConstraint("report IN ('daily', 'weekly')", name="report"),
        CheckConstraint("(channel = 'webhook') = (secret IS NOT NULL)", name="secret"),
        Index("uq_subscription_address", "project_id", "channel", "address", unique=True),
        Index("ix_subscription_report_at", "report_at", postgresql_where=text("report_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str]
    address: Mapped[str]
    secret: Mapped[bytes | None]
    patterns: Mapped[bool]
    report: Mapped[str | None]
    report_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Notice(Tenant, Base):
    """One thing to tell one subscriber: ``about`` is ``pattern:ID`` or ``report:DAY``, and told once.

    ``due_at`` is NULL once it is over. ``sending`` that was left behind by a process that died may have gone out:
    it becomes ``unknown`` and is not repeated.
    """

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("status IN ('due', 'sending', 'accepted', 'rejected', 'unknown')", name="status"),
        Index("uq_notice_about", "project_id", "subscription_id", "about", unique=True),
        Index("ix_notice_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subscription_id: Mapped[UUID]
    about: Mapped[str]
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[datetime | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
