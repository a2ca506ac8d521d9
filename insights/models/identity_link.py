"""An identity link: a visitor or a customer of the shop goes by a name (user id, e-mail address, phone number)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalJson, PersonalText


class IdentityLink(Tenant, Base):
    """Said first by ``event_id`` at ``first_at``. ``refused`` says why it joins nobody: two_users, shared, too_many.

    ``refused_users``: the customer on the subject's side and the one on the name's, where there are two. A name of the
    kind visitor says that two visitors are one person.
    """

    __tablename__ = "identity_link"
    __table_args__ = (
        CheckConstraint("subject_kind IN ('visitor', 'user_id')", name="subject_kind"),
        CheckConstraint("name_kind IN ('visitor', 'user_id', 'email', 'phone')", name="name_kind"),
        CheckConstraint("refused IN ('two_users', 'shared', 'too_many')", name="refused"),
        Index("ix_identity_link_name", "project_id", "name_kind", "name"),
    )

    subject_kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(PersonalText(fixed=True), primary_key=True)
    name_kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(PersonalText(fixed=True), primary_key=True)
    first_at: Mapped[datetime]
    event_id: Mapped[UUID]
    session_id: Mapped[UUID | None]
    refused: Mapped[str | None]
    refused_users: Mapped[list[Any] | None] = mapped_column(PersonalJson())
