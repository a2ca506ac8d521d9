"""Runs migrations as the schema's owner. The URL comes from the caller, or from WHYLEFT_OWNER_DATABASE_URL."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import create_engine, pool
from sqlalchemy.schema import SchemaItem

import flows.models  # noqa: F401
import insights.models  # noqa: F401  (both register their tables)
from adapters.postgres.base import Base
from adapters.postgres.engine import sqlalchemy_url


def include_object(
    item: SchemaItem, name: str | None, kind: str, reflected: bool, compare_to: SchemaItem | None
) -> bool:
    """Daily partitions are made by ensure_event_partitions(), not by models."""
    return not (kind == "table" and reflected and name is not None and name.startswith("event_"))


url = context.config.attributes.get("url") or os.environ["WHYLEFT_OWNER_DATABASE_URL"]
engine = create_engine(sqlalchemy_url(url), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=include_object,
        compare_server_default=True,
    )
    with context.begin_transaction():
        # A limit meant for queries must not end what a large table takes.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        # Two processes that start at once: the second waits, then finds nothing left to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('whyleft.migrate'))")
        context.run_migrations()
engine.dispose()
