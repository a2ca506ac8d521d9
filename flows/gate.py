"""The send gate: the last look, in one transaction, before anything goes out. Every no has a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import UNLIMITED, Channel
from adapters.postgres.buckets import book, take
from flows.bounds import devices_of, first_met, over_a_cap, salt_of, standing
from flows.chance import held_out
from flows.definition import FlowDefinition
from flows.deliveries import OPEN_STATUSES, given_up
from flows.engine import SendNow
from flows.local_time import zone
from flows.lookup import lookup
from flows.models import Delivery, FlowRun
from flows.policy import NO_POLICY, ProjectPolicy, caps_for, loud_at
from flows.ports import Composed, Done, SendRequest, Skip, Surroundings
from flows.sent_steps import sent_under
from flows.triggers import converted_since, until

_FLOW_HOLDOUT: Final = Skip(
    "flow_holdout", "They get nothing of this flow, so that it can be measured what the others get out of it."
)
_HELD_OUT: Final = Skip("held_out", "They get nothing, so that it can be measured what the others get out of it.")


@dataclass(frozen=True, slots=True)
class Passed:
    """The delivery whose intent is written; once this transaction is committed it may go out through ``channel``."""

    delivery: Delivery
    channel: Channel


@dataclass(frozen=True, slots=True)
class Postpone:
    """Not now, but at ``until``: nobody is written to at night, and no provider is sent more than it takes.

    ``fresh``: the step counts as due from then on; otherwise it gets later meanwhile, and too late in the end.
    ``full``: the channel that has no room.
    """

    until: datetime
    reason: str
    detail: str
    fresh: bool
    full: Channel | None = None


async def pass_gate(
    tx: AsyncSession, run: FlowRun, flow: FlowDefinition, send: SendNow, around: Surroundings, now: datetime
) -> Passed | Done | Skip | Postpone:
    """Decides whether a due send may go out now. The caller holds the visitor's lock and the run's row.

    A message that was composed before and is open still goes out as it was, under its own key, or not at all. A no
    leaves nothing of what the composer wrote; Done leaves it all, and there is nothing to send.
    """
    earlier = await open_delivery(tx, run, send.step_id)
    if around.composer.only_reads(send.step.action):
        decision = await _decide(tx, run, flow, send, earlier, around, now)
    else:
        composing = await tx.begin_nested()
        decision = await _decide(tx, run, flow, send, earlier, around, now)
        if isinstance(decision, Passed | Done):
            await composing.commit()
        else:
            await composing.rollback()
    if isinstance(decision, Postpone) and (channel := decision.full) is not None:
        slot = await book(tx, run.project_id, _bucket(channel), per_second=channel.rate.per_second)
        return replace(decision, until=max(decision.until, now + slot))
    if earlier is not None and isinstance(decision, Skip):
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
    around: Surroundings,
    now: datetime,
) -> Passed | Done | Skip | Postpone:
    # What is tried again was due when it was first tried; what was postponed for its own sake, when that was over.
    due_at = earlier.created_at if earlier is not None else run.wanted_at or run.due_at or now
    if now - due_at > flow.lateness(send.step):
        return Skip("too_late", f"It was due at {due_at:%Y-%m-%d %H:%M} UTC, longer ago than this step allows.")
    if run.exit_on_conversion and await converted_since(tx, run.project_id, [run.visitor_id], run.triggered_at):
        return Skip("converted", "The visitor bought meanwhile.")
    composed = await around.composer.compose(
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
    held_back = await around.holdout.holds_back(tx, run.project_id, run.visitor_id, send.step.action)
    if isinstance(composed, Done):
        return _HELD_OUT if held_back else composed
    word = earlier.channel if earlier is not None else composed.channel
    recipient = earlier.recipient if earlier is not None else composed.recipient
    named = composed.via or send.step.params.get("channel")
    channels = await around.channels.of(tx, run.project_id)
    channel = carrier(channels, earlier) if earlier is not None else chosen(channels, word, named)
    if channel is None:
        return Skip(
            "channel_not_configured",
            f"No {word} channel is set up for this project." if not named else f"There is no {word} channel {named!r}.",
        )
    known: Mapping[str, Any] = {}
    if composed.needs_consent:
        known = await around.facts.facts(tx, run.project_id, run.visitor_id)
    if composed.needs_consent and lookup(known, f"consent.{word}") is not True:
        return Skip("no_consent", f"The visitor has not agreed to messages by {word}.")
    policy, suppressed = NO_POLICY, False
    if recipient is not None or composed.needs_consent:
        policy, suppressed = await standing(tx, run.project_id, word, recipient)
    if suppressed:
        return Skip("suppressed", f"The recipient is on the suppression list of {word}.")
    if composed.needs_consent:
        bounded = await _bounded(tx, run, flow, send, policy, known, word, recipient, earlier, now)
        if bounded is not None:
            return bounded
    if held_back:
        return _HELD_OUT
    if composed.needs_consent and flow.settings.holdout > 0:
        _, devices = devices_of(known, run.visitor_id)
        met = await first_met(tx, run.project_id, run.flow_id, devices) or run.visitor_id
        salt = await salt_of(tx, run.project_id, run.flow_id)
        if held_out(flow.name, salt, flow.settings.holdout, met):
            return _FLOW_HOLDOUT
    if (full_for := await _no_room(tx, run.project_id, channel)) is not None:
        return Postpone(now + full_for, "rate", f"{word} takes no more just now.", fresh=False, full=channel)
    if earlier is not None:
        earlier.status = "intent"
        earlier.attempts, earlier.decided_at = earlier.attempts + 1, None
        earlier.channel_id = channel.id
        await tx.flush()
        return Passed(earlier, channel)
    return await _write_intent(tx, run, send, composed, channel, now)


async def _bounded(
    tx: AsyncSession,
    run: FlowRun,
    flow: FlowDefinition,
    send: SendNow,
    policy: ProjectPolicy,
    known: Mapping[str, Any],
    word: str,
    recipient: str | None,
    earlier: Delivery | None,
    now: datetime,
) -> Skip | Postpone | None:
    """What quiet hours and caps say to a message; None: nothing against it."""
    settings = flow.settings
    loud = loud_at(now, word, zone(lookup(known, "visitor.time_zone")), [policy.quiet_hours, settings.quiet_hours])
    if loud is not None:
        return Postpone(loud, "quiet_hours", f"It is night for them; {until(loud)}.", fresh=True)
    if earlier is not None:
        return None  # counted when it was first tried, or certainly not out and still the same message
    held_by = await over_a_cap(
        tx,
        run,
        flow,
        caps_for(word, policy.caps, settings.caps),
        action=send.step.action,
        channel=word,
        recipient=recipient,
        known=known,
        now=now,
    )
    if held_by is None:
        return None
    if held_by.outranked:
        return Skip("outranked", f"What is left of {held_by.words()} is for a flow of higher priority.")
    return Skip("capped", f"They got {held_by.words()} already.")


async def _no_room(tx: AsyncSession, project_id: UUID, channel: Channel) -> timedelta | None:
    """How long a channel's provider is sent no more; None: it takes this one."""
    rate = channel.rate
    if rate.per_second >= UNLIMITED.per_second:
        return None
    return await take(tx, project_id, _bucket(channel), per_second=rate.per_second, burst=rate.burst)


def _bucket(channel: Channel) -> str:
    return f"channel:{channel.id or channel.name}"


def chosen(channels: Mapping[str, Channel], word: str, named: object) -> Channel | None:
    """The channel that is ``named``, or the one that carries the word; None when there is none."""
    found = channels.get(str(named)) if named else channels.get(word)
    return found if found is not None and found.name == word else None


def carrier(channels: Mapping[str, Channel], delivery: Delivery) -> Channel | None:
    """The channel that carries on with a delivery: the very one that had it.

    Only what certainly did not go out may change over to another provider, which would take a repeat for news.
    """
    same = next((c for c in channels.values() if c.id == delivery.channel_id and c.name == delivery.channel), None)
    return channels.get(delivery.channel) if same is None and delivery.status == "retry" else same


async def _write_intent(
    tx: AsyncSession, run: FlowRun, send: SendNow, composed: Composed, channel: Channel, now: datetime
) -> Passed | Skip:
    key = composed.dedupe_key or await _key_of_visit(tx, run, send.step_id)
    written = await tx.scalar(
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
        return Passed(written, channel)
    other = await sent_under(tx, run.project_id, composed.channel, key)
    return already_delivered(composed.channel, other)


def already_delivered(channel: str, status: str | None) -> Skip:
    """What is said of a message whose key another one has."""
    return Skip("already_delivered", f"The same thing went to {channel} before ({status}).")


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
