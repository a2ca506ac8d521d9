"""A person: the visitors (devices) that go by the same names."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class Person(Tenant, Base):
    """A visitor's place in their person, whose id is that of the visitor who was linked first.

    Who is alone has no row. The rows follow from the links and can be made again from them.
    """

    __tablename__ = "person"
    __table_args__ = (Index("ix_person_project_id_person_id", "project_id", "person_id"),)

    visitor_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
