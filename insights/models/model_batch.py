"""A batch of questions that was handed to a provider and is answered within a day."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class ModelBatch(Tenant, Base):
    """``sessions``: ids of those asked about. ``reserved_micros`` was set aside on the day of ``asked_at``.

    ``outcome``: how many were named, skipped (their visit had changed), or got no answer; empty until ``done_at``.
    """

    __tablename__ = "model_batch"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str]
    base_url: Mapped[str]
    model: Mapped[str]
    sessions: Mapped[list[Any]]
    reserved_micros: Mapped[int] = mapped_column(BigInteger)
    asked_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
