"""Publishes the starter flows for a project: from then on its visitors get what they send."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.store import publish
from insights.conditions.fields import FIELDS
from insights.recovery.starter import starter_flows
from insights.vocabulary.actions import RecoveryAction

ACTIONS = frozenset(action.value for action in RecoveryAction)


async def publish_starter_flows(tx: AsyncSession, project_id: UUID, now: datetime, *, wait_scale: float = 1.0) -> int:
    """Publishes each starter flow; returns how many there are. Doing it again makes no new versions."""
    flows = starter_flows(wait_scale=wait_scale)
    for flow in flows:
        await publish(tx, project_id, flow, now, ACTIONS, FIELDS)
    return len(flows)
