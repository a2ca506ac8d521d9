"""What is known of a delivery once its channel has answered, or will not: accepted, unknown, to be tried again.

Everything here happens inside the caller's transaction, which holds the row of the delivery's run.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Channel, Result, Suppress
from flows.deliveries import after_interruption, for_the_log, given_up, judge
from flows.history import say
from flows.models import Delivery, FlowRun, Suppression

log = structlog.get_logger()


async def settle_answer(
    tx: AsyncSession, run: FlowRun, delivery: Delivery, channel: Channel, answer: Result, now: datetime
) -> bool:
    """Writes down what the channel said of a try; True where the run waits for another one."""
    repeatable = after_interruption(channel, delivery.created_at, now) != "unknown"
    verdict = judge(answer, delivery.attempts, repeatable=repeatable and run.end_reason is None)
    status, error = verdict.status, verdict.error
    if verdict.again_after is not None and run.end_reason is not None:
        status, error = given_up(status), f"Not tried again: {run.end_reason}"
    delivery.provider_id = verdict.provider_id
    settle(tx, run, delivery, status, error, now)
    if isinstance(answer, Suppress) and delivery.recipient is not None:
        await _suppress(tx, delivery, answer.why, now)
    if verdict.again_after is None or run.end_reason is not None:
        return False
    # A try that may have arrived keeps its run past the gate, as one whose worker died does.
    run.status = "sending" if status == "intent" else "waiting"
    run.due_at, run.lease_until = now + verdict.again_after, None
    return True


def settle(tx: AsyncSession, run: FlowRun, delivery: Delivery, status: str, error: str | None, now: datetime) -> None:
    """Writes down what is known of a delivery now."""
    if status == "unknown" and delivery.fate not in (None, "rejected"):
        # Its provider reported of it meanwhile, so it did go out.
        status, error = "accepted", None
    delivery.status, delivery.error, delivery.decided_at = status, error, now
    word = "unanswered" if status == "intent" else status
    say(tx, run, now, delivery.step, word, error or delivery.channel)
    why = {} if error is None else {"why": for_the_log(error, delivery.recipient)}
    log.info("delivery_" + word, channel=delivery.channel, delivery=str(delivery.id), **why)


async def _suppress(tx: AsyncSession, delivery: Delivery, why: str, now: datetime) -> None:
    await tx.execute(
        upsert(Suppression)
        .values(
            project_id=delivery.project_id,
            channel=delivery.channel,
            recipient=delivery.recipient,
            reason=why,
            at=now,
        )
        .on_conflict_do_nothing()
    )
