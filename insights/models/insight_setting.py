"""What a project wants of its insights: one row a project, and none until it wants something."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class InsightSetting(Tenant, Base):
    """NULL: as the process's settings say. ``api_key`` is encrypted; ``withheld`` names what stays in the house too.

    Prices are of a million tokens; the ceiling is millionths of the same currency, a day (UTC).
    """

    __tablename__ = "insight_setting"

    use_model: Mapped[bool | None]
    base_url: Mapped[str | None]
    model: Mapped[str | None]
    api_key: Mapped[bytes | None]
    language: Mapped[str | None]
    threshold: Mapped[float | None]
    withheld: Mapped[list[Any]] = mapped_column(server_default="[]")
    price_in: Mapped[float | None]
    price_out: Mapped[float | None]
    daily_ceiling_micros: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime]
