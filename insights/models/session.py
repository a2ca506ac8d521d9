"""A session: one visit, open until it was quiet long enough, with a summary written when it closes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Text, desc, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Session(Tenant, Base):
    """``closed_at`` is NULL while the session is open. ``close_at`` is when a worker is due to look at it, or NULL.

    It is put off in steps of a twelfth of the quiet time: the batches in between then change no indexed column, and
    find room for the row's next version in its page (fillfactor 85). An event that arrives after the close sets it
    again; an order that nobody knew of opens the session again at once. ``ended_at`` is the latest session_ended.
    ``lease_token`` fences: a worker whose lease ran out writes nothing. The summary columns (from ``event_count`` on)
    are as of the last look, but for ``purchased``, which is true from the order on. ``paths`` are those it saw,
    ``shown`` the live actions, each once; ``product`` is the id of the one that it was about. ``kind`` and ``reason``
    are those of its current insight, for counting without a join; NULL while it has none.
    """

    __tablename__ = "session"
    __table_args__ = (
        Index("ix_session_close_at", "close_at", postgresql_where=text("close_at IS NOT NULL")),
        Index("ix_session_project_id_started_at", "project_id", desc("started_at"), "id"),
        Index("ix_session_project_id_visitor_id", "project_id", "visitor_id"),
        Index("ix_session_project_id_closed_at", "project_id", "closed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    started_at: Mapped[datetime]
    last_event_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    last_received_at: Mapped[datetime]
    close_at: Mapped[datetime | None]
    close_reason: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[int] = mapped_column(BigInteger, server_default="0")

    closed_at: Mapped[datetime | None]
    event_count: Mapped[int | None]
    landing_path: Mapped[str | None]
    exit_path: Mapped[str | None]
    paths: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    shown: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    stage: Mapped[str | None]
    purchased: Mapped[bool | None]
    cart_value_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    product: Mapped[str | None]
    kind: Mapped[str | None]
    reason: Mapped[str | None]
    source: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    client: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


BY_A_PERSON = Session.client["bot"].astext.is_distinct_from("true")
"""Holds for visits of browsers that do not say they are a bot: what the others do says nothing of why people leave."""
