"""Saved views: filters of the session list under a name, kept for everyone who looks at the project."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import InUse, NotFound, Refused
from insights.models import SavedView
from insights.viewer.filters import read_request
from insights.vocabulary.ids import uuid7
from insights.vocabulary.joiners import is_one_line

MOST_VIEWS: Final = 50
MOST_NAME: Final = 60


async def list_views(tx: AsyncSession, project_id: UUID) -> Sequence[SavedView]:
    """All of them by name."""
    return (
        await tx.scalars(select(SavedView).where(SavedView.project_id == project_id).order_by(SavedView.name))
    ).all()


async def save_view(tx: AsyncSession, project_id: UUID, name: str, query: str, now: datetime) -> SavedView:
    """Keeps ``query`` under ``name``. Raises Refused: no name, no filter, too many; InUse: others are kept under it."""
    name = " ".join(name.split())
    if not name or len(name) > MOST_NAME or not is_one_line(name):
        raise Refused(f"Give the view a name of at most {MOST_NAME} characters.", field="name")
    filters = read_request(dict(parse_qsl(query.lstrip("?")))).filters
    if not filters.active():
        raise Refused("Nothing is filtered, so there is nothing to keep. Choose a filter first.", field="query")
    count = await tx.scalar(select(func.count()).where(SavedView.project_id == project_id, SavedView.name != name))
    if (count or 0) >= MOST_VIEWS:
        raise Refused(f"There are {MOST_VIEWS} views, the most there may be. Delete one first.")
    await tx.execute(
        insert(SavedView)
        .values(project_id=project_id, id=uuid7(), name=name, query=filters.query(), created_at=now)
        .on_conflict_do_nothing(index_elements=["project_id", "name"])
    )
    kept = (await tx.scalars(select(SavedView).where(SavedView.project_id == project_id, SavedView.name == name))).one()
    if kept.query != filters.query():
        raise InUse(
            f"There is a view “{name}” of other filters, and everybody uses it. Choose another name, or "
            "delete that one first.",
            field="name",
        )
    return kept


async def delete_view(tx: AsyncSession, project_id: UUID, view_id: UUID) -> None:
    """Forgets it. Raises NotFound."""
    gone = await tx.scalar(
        delete(SavedView).where(SavedView.project_id == project_id, SavedView.id == view_id).returning(SavedView.id)
    )
    if gone is None:
        raise NotFound("That view is not there any more. Somebody else may have deleted it.")
