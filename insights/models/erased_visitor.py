"""That somebody was erased, and when, without saying who."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class ErasedVisitor(Tenant, Base):
    """``digest``: the keyed hash of a visitor's id (``events/erased``); of nobody's where all were erased."""

    __tablename__ = "erased_visitor"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]
