"""Everything that is stored of a person, as plain JSON, for whoever must hand it to them."""

from __future__ import annotations

import base64
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import Visitor
from insights.privacy.erase import tables_of_visitors


async def export_visitors(tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID]) -> dict[str, Any]:
    """Table → rows of these visitors, each a JSON object; tables without any are left out."""
    visitors = sorted(set(visitor_ids))
    tables: list[tuple[Any, Any]] = [(Visitor.__table__, Visitor.__table__.c.id)]
    tables += [(table, table.c.visitor_id) for table in tables_of_visitors()]
    found: dict[str, Any] = {}
    for table, column in tables:
        rows = (
            await tx.execute(select(table).where(table.c.project_id == project_id, column.in_(visitors)))
        ).mappings()
        if plain := [{name: _plain(value) for name, value in row.items() if name != "project_id"} for row in rows]:
            found[table.name] = plain
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, UUID) else value
