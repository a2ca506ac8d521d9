"""The send gate: the last look, in one transaction, before anything goes out. Every no has a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Channel
from flows.definition import FlowDefinition
from flows.deliveries import OPEN_STATUSES, given_up
from flows.engine import SendNow
from flows.lookup import lookup
from flows.models import Delivery, FlowRun, Suppression
from flows.ports import Composed, Composer, Done, Facts, Holdout, SendRequest, Skip
from flows.triggers import converted_since

_HELD_OUT: Final = Skip("held_out", "They get nothing, so that it can be measured what the others get out of it.")


@dataclass(frozen=True, slots=True)
class Passed:
    """The delivery whose intent is written; once this transaction is committed it may go out through ``channel``."""

    delivery: Delivery
    channel: Channel


async def pass_gate(
    tx: AsyncSession,
    run: FlowRun,
    flow: FlowDefinition,
    send: SendNow,
    facts: Facts,
    composer: Composer,
    channels: Mapping[str, Channel],
    holdout: Holdout,
    now: datetime,
) -> Passed | Done | Skip:
    """Decides whether a due send may go out now. The caller holds the visitor's lock and the run's row.

    A message that was composed before and is open still goes out as it was, under its own key, or not at all. A no
    leaves nothing of what the composer wrote; Done leaves it all, and there is nothing to send.
    """
    earlier = await open_delivery(tx, run, send.step_id)
    composing = await tx.begin_nested()
    decision = await _decide(tx, run, flow, send, earlier, facts, composer, channels, holdout, now)
    if isinstance(decision, Passed | Done):
        await composing.commit()
        return decision
    await composing.rollback()
    if earlier is not None:
        earlier.status = given_up(earlier.status)
        earlier.error = f"Not tried again: {decision.detail}"
        earlier.decided_at = now
    return decision


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


async def _decide(
    tx: AsyncSession,
    run: FlowRun,
    flow: FlowDefinition,
    send: SendNow,
    earlier: Delivery | None,
    facts: Facts,
    composer: Composer,
    channels: Mapping[str, Channel],
    holdout: Holdout,
    now: datetime,
) -> Passed | Done | Skip:
    # What is tried again was due when it was first tried.
    due_at = earlier.created_at if earlier is not None else run.due_at or now
    if now - due_at > flow.lateness(send.step):
        return Skip("too_late", f"It was due at {due_at:%Y-%m-%d %H:%M} UTC, longer ago than this step allows.")
    if run.exit_on_conversion and await converted_since(tx, run.project_id, [run.visitor_id], run.triggered_at):
        return Skip("converted", "The visitor bought meanwhile.")
    composed = await composer.compose(
        tx,
        SendRequest(
            project_id=run.project_id,
            visitor_id=run.visitor_id,
            run_id=run.id,
            step_id=send.step_id,
            action=send.step.action,
            params=send.step.params,
            trigger=run.facts,
            now=now,
        ),
    )
    if isinstance(composed, Skip):
        return composed
    # Asked whatever else, but answered last: who is held out must be who would have got it.
    held_back = await holdout.holds_back(tx, run.project_id, run.visitor_id, send.step.action)
    if isinstance(composed, Done):
        return _HELD_OUT if held_back else composed
    word = earlier.channel if earlier is not None else composed.channel
    recipient = earlier.recipient if earlier is not None else composed.recipient
    channel = carrier(channels, earlier) if earlier is not None else chosen(channels, word, send.step.params)
    if channel is None:
        named = send.step.params.get("channel")
        return Skip(
            "channel_not_configured",
            f"No {word} channel is set up for this project." if not named else f"There is no {word} channel {named!r}.",
        )
    if composed.needs_consent:
        known = await facts.facts(tx, run.project_id, run.visitor_id)
        if lookup(known, f"consent.{word}") is not True:
            return Skip("no_consent", f"The visitor has not agreed to messages by {word}.")
    if recipient is not None and await _suppressed(tx, run.project_id, word, recipient):
        return Skip("suppressed", f"{recipient} is on the suppression list of {word}.")
    if held_back:
        return _HELD_OUT
    if earlier is not None:
        earlier.status = "intent"
        earlier.attempts += 1
        earlier.channel_id = channel.id
        await tx.flush()
        return Passed(earlier, channel)
    return await _write_intent(tx, run, send, composed, channel, now)


def chosen(channels: Mapping[str, Channel], word: str, params: Mapping[str, object]) -> Channel | None:
    """The channel that a step names in its params, or the one that carries the word; None when there is none."""
    found = channels.get(str(params["channel"])) if params.get("channel") else channels.get(word)
    return found if found is not None and found.name == word else None


def carrier(channels: Mapping[str, Channel], delivery: Delivery) -> Channel | None:
    """The channel that carries on with a delivery: the very one that had it.

    Only what certainly did not go out may change over to another provider, which would take a repeat for news.
    """
    same = next((c for c in channels.values() if c.id == delivery.channel_id and c.name == delivery.channel), None)
    return channels.get(delivery.channel) if same is None and delivery.status == "retry" else same


async def _suppressed(tx: AsyncSession, project_id: UUID, channel: str, recipient: str) -> bool:
    return (await tx.get(Suppression, (project_id, channel, recipient))) is not None


async def _write_intent(
    tx: AsyncSession, run: FlowRun, send: SendNow, composed: Composed, channel: Channel, now: datetime
) -> Passed | Skip:
    key = composed.dedupe_key or await _key_of_visit(tx, run, send.step_id)
    identifier = await tx.scalar(
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
            status="intent",
            attempts=1,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["project_id", "channel", "dedupe_key"])
        .returning(Delivery.id)
    )
    if identifier is not None:
        return Passed(await tx.get_one(Delivery, (run.project_id, identifier)), channel)
    other = await tx.scalar(
        select(Delivery.status).where(
            Delivery.project_id == run.project_id, Delivery.channel == composed.channel, Delivery.dedupe_key == key
        )
    )
    return Skip("already_delivered", f"The same thing went to {composed.channel} before ({other}).")


async def _key_of_visit(tx: AsyncSession, run: FlowRun, step_id: str) -> str:
    """Run, step and visit: a step that a loop comes back to sends again, a step that is tried again does not."""
    visits = await tx.scalar(
        select(func.count())
        .select_from(Delivery)
        .where(
            Delivery.project_id == run.project_id,
            Delivery.run_id == run.id,
            Delivery.step == step_id,
            Delivery.status.not_in(OPEN_STATUSES),
        )
    )
    return f"{run.id}/{step_id}/{visits}"
