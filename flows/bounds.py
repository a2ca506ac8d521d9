"""Holds a message to what bounds it: reads what the person got, and whose turn comes first, under the person's lock.

Everything here happens inside the send gate's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import Cap, FlowDefinition
from flows.lookup import lookup
from flows.models import Delivery, FlowRun
from flows.policy import Full, ProjectPolicy, Sent, before, full, stored_policy
from flows.starting import definition_of
from flows.triggers import UNFINISHED

WENT_OUT = ("intent", "accepted", "unknown")

_STANDING = text("""
SELECT policy.caps, policy.quiet_hours,
       EXISTS (SELECT FROM suppression
               WHERE project_id = :project AND channel = :channel AND recipient = :recipient) AS suppressed
FROM (SELECT) AS one LEFT JOIN flow_policy AS policy ON policy.project_id = :project
""")


async def standing(
    tx: AsyncSession, project_id: UUID, channel: str, recipient: str | None
) -> tuple[ProjectPolicy, bool]:
    """The project's policy, and whether the recipient is on the channel's suppression list."""
    given = {"project": project_id, "channel": channel, "recipient": recipient}
    row = (await tx.execute(_STANDING, given)).one()
    return stored_policy(row.caps, row.quiet_hours), row.suppressed


def devices_of(known: Mapping[str, Any], visitor_id: UUID) -> tuple[UUID, list[UUID]]:
    """Who the visitor is as a person, and all their devices, as the facts say; alone where they say nothing."""
    person, devices = lookup(known, "person.id"), lookup(known, "person.devices")
    return (
        person if isinstance(person, UUID) else visitor_id,
        [one for one in devices if isinstance(one, UUID)] if isinstance(devices, list) else [visitor_id],
    )


async def over_a_cap(
    tx: AsyncSession,
    run: FlowRun,
    flow: FlowDefinition,
    caps: Sequence[Cap],
    *,
    action: str,
    channel: str,
    recipient: str | None,
    known: Mapping[str, Any],
    now: datetime,
) -> Full | None:
    """The cap that keeps this message back. Until the transaction ends no other message to the person is counted: of
    any number at once, exactly as many pass as there is room for."""
    if not caps:
        return None
    person, devices = devices_of(known, run.visitor_id)
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{run.project_id}/{person}", 3))))
    theirs: list[ColumnElement[bool]] = [Delivery.visitor_id.in_(devices)]
    if recipient is not None:
        theirs.append((Delivery.channel == channel) & (Delivery.recipient == recipient))
    rows = await tx.execute(
        select(Delivery.channel, Delivery.created_at).where(
            Delivery.project_id == run.project_id,
            or_(*theirs),
            Delivery.created_at > now - max(cap.within for cap in caps),
            Delivery.marketing.is_(True),
            Delivery.status.in_(WENT_OUT),
        )
    )
    sent = [Sent(row.channel, row.created_at) for row in rows]
    higher = await tx.execute(
        select(FlowRun.version_id, FlowRun.step, FlowRun.due_at).where(
            FlowRun.project_id == run.project_id,
            FlowRun.visitor_id.in_(devices),
            FlowRun.status.in_(UNFINISHED),
            FlowRun.priority > flow.settings.priority,
        )
    )
    waiting = [(await definition_of(tx, run.project_id, row.version_id), row.step, row.due_at or now) for row in higher]
    return full(caps, sent, before(waiting, action, channel), now)
