"""Writes down that a message is about to go out, before it does and once under its key; finds what is still open."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Channel
from flows.deliveries import OPEN_STATUSES
from flows.engine import SendNow
from flows.models import Delivery, FlowRun
from flows.ports import Composed, Skip
from flows.sent_steps import sends_over, sent_under


async def open_delivery(tx: AsyncSession, run: FlowRun, step_id: str) -> Delivery | None:
    """What this step of the run has under way or is still to try again."""
    return (
        await tx.execute(
            select(Delivery).where(
                Delivery.project_id == run.project_id,
                Delivery.run_id == run.id,
                Delivery.step == step_id,
                Delivery.status.in_(OPEN_STATUSES),
            )
        )
    ).scalar_one_or_none()


async def write_intent(
    tx: AsyncSession, run: FlowRun, send: SendNow, composed: Composed, channel: Channel, now: datetime
) -> Delivery | Skip:
    """The new delivery of what was composed; Skip where the same message went out before, whoever sent it."""
    key = composed.dedupe_key or await _key_of_visit(tx, run, send.step_id)
    written: Delivery | None = await tx.scalar(
        upsert(Delivery)
        .values(
            project_id=run.project_id,
            id=uuid4(),
            run_id=run.id,
            step=send.step_id,
            action=send.step.action,
            visitor_id=run.visitor_id,
            channel=composed.channel,
            channel_id=channel.id,
            recipient=composed.recipient,
            dedupe_key=key,
            content=dict(composed.content),
            marketing=composed.needs_consent,
            status="intent",
            attempts=1,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["project_id", "channel", "dedupe_key"])
        .returning(Delivery)
    )
    if written is not None:
        return written
    other = await sent_under(tx, run.project_id, composed.channel, key)
    return already_delivered(composed.channel, other)


def already_delivered(channel: str, status: str | None) -> Skip:
    """What is said of a message whose key another one has."""
    return Skip("already_delivered", f"The same thing went to {channel} before ({status}).")


async def _key_of_visit(tx: AsyncSession, run: FlowRun, step_id: str) -> str:
    """Run, step and visit: a step that a loop comes back to sends again, a step that is tried again does not."""
    return f"{run.id}/{step_id}/{await sends_over(tx, run.project_id, run.id, step_id)}"
