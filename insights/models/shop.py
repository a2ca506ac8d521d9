"""What a shop says of itself, and what its decisions need that never changes by itself."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Shop(Tenant, Base):
    """One row a project. Money in minor units of ``currency``. ``margin_rate``: margin as a share of an order's value.

    ``salt`` keys holdout and draws; ``holdout``: the share of visitors who get nothing, since ``holdout_since``, and
    ``holdout_before`` the greatest that it had been until then; NULL: it never changed. ``version`` counts the changes;
    ``learned_through``: what ended before has been learned from.
    """

    __tablename__ = "shop"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    salt: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    holdout: Mapped[float] = mapped_column(server_default="0")
    holdout_since: Mapped[datetime | None]
    holdout_before: Mapped[float | None]
    currency: Mapped[str | None]
    margin_rate: Mapped[float | None]
    shipping_cost_minor: Mapped[int | None] = mapped_column(BigInteger)
    free_shipping_from_minor: Mapped[int | None] = mapped_column(BigInteger)
    contact_href: Mapped[str] = mapped_column(server_default="")
    version: Mapped[int] = mapped_column(server_default="1")
    learned_through: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
