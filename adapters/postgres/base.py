"""The declarative base of all tables, and what makes a table a tenant table."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, MetaData, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from adapters.postgres.documents import Document


class Base(DeclarativeBase):
    """Every table of the product. Names of constraints are spelled out so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: Document,
        list[Any]: Document,
        UUID: Uuid,
    }


class Tenant:
    """Mixed into every table whose rows belong to a project: its first key column is the tenant.

    The migration that creates such a table also gives it a forced row-level-security policy.
    """

    project_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)
