"""Holds a message to what bounds it: reads what the person got, and whose turn comes first, under the person's lock.

Everything here happens inside the send gate's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, and_, case, cast, exists, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import Cap, FlowDefinition
from flows.lookup import lookup
from flows.models import Delivery, Flow, FlowPolicy, FlowRun, Suppression
from flows.policy import Full, ProjectPolicy, Sent, before, full, stored_policy
from flows.starting import definition_of
from flows.triggers import UNFINISHED

WENT_OUT = ("intent", "accepted", "unknown")


async def standing(
    tx: AsyncSession, project_id: UUID, channel: str, recipient: str | None
) -> tuple[ProjectPolicy, bool]:
    """The project's policy, and whether the recipient is on the channel's suppression list."""
    policy = FlowPolicy.project_id == project_id
    # By the column's own type: recipients are sealed, and plain SQL would find none of them.
    listed = (
        exists().where(
            Suppression.project_id == project_id, Suppression.channel == channel, Suppression.recipient == recipient
        )
        if recipient is not None
        else false()
    )
    row = (
        await tx.execute(
            select(
                select(FlowPolicy.caps).where(policy).scalar_subquery(),
                select(FlowPolicy.quiet_hours).where(policy).scalar_subquery(),
                listed,
            )
        )
    ).one()
    return stored_policy(row[0], row[1]), bool(row[2])


def devices_of(known: Mapping[str, object], visitor_id: UUID) -> tuple[UUID, list[UUID]]:
    """Who the visitor is as a person, and all their devices, as the facts say; alone where they say nothing."""
    person, devices = lookup(known, "person.id"), lookup(known, "person.devices")
    return (
        person if isinstance(person, UUID) else visitor_id,
        [one for one in devices if isinstance(one, UUID)] if isinstance(devices, list) else [visitor_id],
    )


async def first_met(tx: AsyncSession, project_id: UUID, flow_id: UUID, devices: Collection[UUID]) -> UUID | None:
    """The device of a person that a flow met first; None where it met none of them. By it the flow's own holdout is
    decided: what they turn out to have besides, later, does not move them from one arm to the other."""
    found: UUID | None = await tx.scalar(
        select(FlowRun.visitor_id)
        .where(FlowRun.project_id == project_id, FlowRun.visitor_id.in_(devices), FlowRun.flow_id == flow_id)
        .order_by(FlowRun.started_at, FlowRun.id)
        .limit(1)
    )
    return found


async def salt_of(tx: AsyncSession, project_id: UUID, flow_id: UUID) -> UUID | None:
    """What the draw of whom this flow holds back is keyed with; None for a flow from before there was such a key."""
    return await tx.scalar(select(Flow.salt).where(Flow.project_id == project_id, Flow.id == flow_id))


async def over_a_cap(
    tx: AsyncSession,
    run: FlowRun,
    flow: FlowDefinition,
    caps: Sequence[Cap],
    *,
    action: str,
    channel: str,
    recipient: str | None,
    known: Mapping[str, object],
    now: datetime,
) -> Full | None:
    """The cap that keeps this message back. Until the transaction ends no other message to the person is counted: of
    any number at once, exactly as many pass as there is room for."""
    if not caps:
        return None
    person, devices = devices_of(known, run.visitor_id)
    # One address may be several people's, one person has several devices: both are held, in one order everywhere.
    held = sorted({f"{run.project_id}/{person}", f"{run.project_id}/{channel}/{recipient or person}"})
    names = func.unnest(cast(held, ARRAY(Text))).column_valued()
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(names, 3))))
    theirs: list[ColumnElement[bool]] = [Delivery.visitor_id.in_(devices)]
    if recipient is not None:
        theirs.append((Delivery.channel == channel) & (Delivery.recipient == recipient))
    since = now - max(cap.within for cap in caps)
    # What was tried again went out with its last try, of which is known when it was decided, or it is under way.
    out_at = case((Delivery.attempts > 1, func.coalesce(Delivery.decided_at, now)), else_=Delivery.created_at)
    rows = await tx.execute(
        select(Delivery.channel, out_at.label("at")).where(
            Delivery.project_id == run.project_id,
            or_(*theirs),
            or_(Delivery.created_at > since, and_(Delivery.attempts > 1, out_at > since)),
            Delivery.marketing.is_(True),
            Delivery.status.in_(WENT_OUT),
        )
    )
    sent = [Sent(row.channel, row.at) for row in rows]
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
