"""What a project's language models took on one day (UTC)."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class ModelSpend(Tenant, Base):
    """``cost_micros``: millionths of the currency of the prices, with what is reserved for questions under way."""

    __tablename__ = "model_spend"

    day: Mapped[date] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tokens_in: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tokens_out: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cost_micros: Mapped[int] = mapped_column(BigInteger, server_default="0")
