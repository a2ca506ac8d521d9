"""How many claims to be somebody were signed, by day: what a project sees before it asks for signatures."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class IdentityClaim(Tenant, Base):
    """``day``: of the server's clock, UTC. ``name``: which kind of name was claimed; no name itself is kept here."""

    __tablename__ = "identity_claim"
    __table_args__ = (
        CheckConstraint("name IN ('user_id', 'email', 'phone')", name="name"),
        CheckConstraint("verdict IN ('signed', 'unsigned', 'wrong')", name="verdict"),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(primary_key=True)
    claims: Mapped[int]
