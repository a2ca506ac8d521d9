"""Everything that is stored of a person, as plain JSON, for whoever must hand it to them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import FlowRun, RunEvent, Suppression
from insights.models import Decision, IdentityLink, LiveClaim, Reward, Visitor
from insights.privacy.erase import claim_keys, names_of, recipients_of, rejected_of, tables_of_visitors
from insights.privacy.person import Asked

_AT_ONCE: Final = 200


async def export_visitors(
    tx: AsyncSession, project_id: UUID, visitor_ids: Collection[UUID], asked: Asked | None = None
) -> dict[str, Any]:
    """Table → rows of these visitors and of the names they go by, each a JSON object; tables without any are left out.

    The same rows that ``erase_visitors`` erases, opened, but for answers to the shop's own requests that name them:
    those name others as well.
    """
    visitors = sorted(set(visitor_ids))
    names = await names_of(tx, project_id, visitors, asked)
    texts = [*names, *map(str, visitors)]
    runs = select(FlowRun.id).where(FlowRun.project_id == project_id, FlowRun.visitor_id.in_(visitors))
    decisions = select(Decision.id).where(Decision.project_id == project_id, Decision.visitor_id.in_(visitors))
    tables: list[tuple[Any, Any]] = [(Visitor.__table__, Visitor.__table__.c.id.in_(visitors))]
    tables += [(table, table.c.visitor_id.in_(visitors)) for table in tables_of_visitors()]
    tables += [
        (RunEvent.__table__, RunEvent.run_id.in_(runs)),
        (Reward.__table__, Reward.decision_id.in_(decisions)),
        (LiveClaim.__table__, LiveClaim.key.in_(await claim_keys(tx, project_id, visitors, names))),
        (IdentityLink.__table__, or_(IdentityLink.subject.in_(texts), IdentityLink.name.in_(texts))),
        (Suppression.__table__, Suppression.recipient.in_(await recipients_of(tx, project_id, visitors, names))),
    ]
    found: dict[str, Any] = {}
    for table, theirs in tables:
        plain: list[dict[str, Any]] = []
        # In parts: whoever was here for years has tens of thousands, and others' requests have their turn between.
        rows = (await tx.stream(select(table).where(table.c.project_id == project_id, theirs))).mappings()
        async for part in rows.partitions(_AT_ONCE):
            plain += [{name: _plain(value) for name, value in row.items() if name != "project_id"} for row in part]
        if plain:
            found[table.name] = plain
    refused = [
        {name: _plain(getattr(row, name)) for name in ("id", "received_at", "envelope", "raw", "error")}
        async for part in rejected_of(tx, project_id, {str(visitor) for visitor in visitors}, names)
        for row in part
    ]
    return {**found, "rejected_event": refused} if refused else found


async def written(exported: dict[str, Any]) -> bytes:
    """What is stored of somebody as JSON that people can read, written in a thread: of many rows that takes a while."""
    return await asyncio.to_thread(lambda: msgspec.json.format(msgspec.json.encode(exported), indent=1))


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return str(value) if isinstance(value, UUID) else value
