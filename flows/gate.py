"""The send gate: the last look, in one transaction, before anything goes out. Every no has a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import UNLIMITED, Channel
from adapters.postgres.buckets import book, take
from flows.bounds import devices_of, first_met, over_a_cap, salt_of, standing
from flows.carriers import carrier, chosen
from flows.chance import held_out
from flows.definition import FlowDefinition
from flows.deliveries import given_up
from flows.engine import SendNow
from flows.intent_to_send import open_delivery, write_intent
from flows.lookup import lookup
from flows.models import Delivery, FlowRun
from flows.policy import NO_POLICY, ProjectPolicy, caps_for, loud_at
from flows.ports import NOBODY, Composed, Done, SendRequest, Skip, Surroundings
from flows.triggers import converted_since, until
from flows.zones import zone

_FLOW_HOLDOUT: Final = Skip(
    "flow_holdout", "They get nothing of this flow, so that it can be measured what the others get out of it."
)
_BOUGHT: Final = Skip("converted", "The visitor bought meanwhile.")
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


@dataclass(frozen=True, slots=True)
class _Due:
    """A send that is due, and what it is decided with. ``earlier``: its delivery, where it is tried again."""

    tx: AsyncSession
    run: FlowRun
    flow: FlowDefinition
    send: SendNow
    earlier: Delivery | None
    around: Surroundings
    now: datetime


@dataclass(frozen=True, slots=True)
class _Way:
    """How a message goes out: the word for its kind of channel, the channel, and to whom where that is said."""

    word: str
    channel: Channel
    recipient: str | None


async def pass_gate(
    tx: AsyncSession, run: FlowRun, flow: FlowDefinition, send: SendNow, around: Surroundings, now: datetime
) -> Passed | Done | Skip | Postpone:
    """Decides whether a due send may go out now. The caller holds the visitor's lock and the run's row.

    A message that was composed before and is open still goes out as it was, under its own key, or not at all. A no
    leaves nothing of what the composer wrote; Done leaves it all, and there is nothing to send.
    """
    earlier = await open_delivery(tx, run, send.step_id)
    due = _Due(tx, run, flow, send, earlier, around, now)
    if around.composer.only_reads(send.step.action):
        decision = await _decide(due)
    else:
        composing = await tx.begin_nested()
        decision = await _decide(due)
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


async def _decide(due: _Due) -> Passed | Done | Skip | Postpone:
    if (outdated := await _no_longer_wanted(due)) is not None:
        return outdated
    run, earlier = due.run, due.earlier
    composed = await _composed(due)
    if isinstance(composed, Skip):
        return composed
    known: Mapping[str, Any] = {}
    needs_consent = isinstance(composed, Composed) and composed.needs_consent
    if run.visitor_id != NOBODY and (needs_consent or run.exit_on_conversion):
        known = await due.around.facts.facts(due.tx, run.project_id, run.visitor_id)
        if await _bought_elsewhere(due, known):
            return _BOUGHT
    # Asked whatever else, but answered last: who is held out must be who would have got it.
    held_back = await due.around.holdout.holds_back(due.tx, run.project_id, run.visitor_id, due.send.step.action)
    if isinstance(composed, Done):
        return _HELD_OUT if held_back else _FLOW_HOLDOUT if await _flow_holds_out(due, composed, known) else composed
    way = await _way(due, composed)
    if isinstance(way, Skip):
        return way
    if (no := await _forbidden(due, way, known, needs_consent=needs_consent)) is not None:
        return no
    if held_back:
        return _HELD_OUT
    if await _flow_holds_out(due, composed, known):
        return _FLOW_HOLDOUT
    if (full_for := await _no_room(due.tx, run.project_id, way.channel)) is not None:
        return Postpone(
            due.now + full_for, "rate", f"{way.word} takes no more just now.", fresh=False, full=way.channel
        )
    if earlier is None:
        return await _written(due, composed, way.channel)
    earlier.status = "intent"
    earlier.attempts, earlier.decided_at = earlier.attempts + 1, None
    earlier.channel_id = way.channel.id
    await due.tx.flush()
    return Passed(earlier, way.channel)


async def _no_longer_wanted(due: _Due) -> Skip | None:
    """What has become too late or pointless; None: it is still wanted."""
    run = due.run
    # What is tried again was due when it was first tried; what was postponed for its own sake, when that was over.
    due_at = due.earlier.created_at if due.earlier is not None else run.wanted_at or run.due_at or due.now
    if due.now - due_at > due.flow.lateness(due.send.step):
        return Skip("too_late", f"It was due at {due_at:%Y-%m-%d %H:%M} UTC, longer ago than this step allows.")
    if run.exit_on_conversion and await converted_since(due.tx, run.project_id, [run.visitor_id], run.triggered_at):
        return _BOUGHT
    return None


async def _bought_elsewhere(due: _Due, known: Mapping[str, object]) -> bool:
    """Whether they bought on another device meanwhile. That ends what is unfinished, at once; what was put aside then,
    and back to work since, hears of it here."""
    run = due.run
    others = [one for one in devices_of(known, run.visitor_id)[1] if one != run.visitor_id]
    if not (others and run.exit_on_conversion):
        return False
    return await converted_since(due.tx, run.project_id, others, run.triggered_at)


async def _composed(due: _Due) -> Composed | Done | Skip:
    return await due.around.composer.compose(
        due.tx,
        SendRequest(
            project_id=due.run.project_id,
            visitor_id=due.run.visitor_id,
            run_id=due.run.id,
            step_id=due.send.step_id,
            action=due.send.step.action,
            params=due.send.step.params,
            trigger=due.run.facts,
            now=due.now,
        ),
    )


async def _way(due: _Due, composed: Composed) -> _Way | Skip:
    """What is tried again goes to whom it was for, by the channel that had it."""
    earlier = due.earlier
    word = earlier.channel if earlier is not None else composed.channel
    recipient = earlier.recipient if earlier is not None else composed.recipient
    named = composed.via or due.send.step.params.get("channel")
    channels = await due.around.channels.of(due.tx, due.run.project_id)
    channel = carrier(channels, earlier) if earlier is not None else chosen(channels, word, named)
    if channel is not None:
        return _Way(word, channel, recipient)
    return Skip(
        "channel_not_configured",
        f"No {word} channel is set up for this project." if not named else f"There is no {word} channel {named!r}.",
    )


async def _forbidden(
    due: _Due, way: _Way, known: Mapping[str, object], *, needs_consent: bool
) -> Skip | Postpone | None:
    """What consent, the suppression list, quiet hours and caps say against it; None: nothing."""
    if needs_consent and lookup(known, f"consent.{way.word}") is not True:
        return Skip("no_consent", f"The visitor has not agreed to messages by {way.word}.")
    policy, suppressed = NO_POLICY, False
    if way.recipient is not None or needs_consent:
        policy, suppressed = await standing(due.tx, due.run.project_id, way.word, way.recipient)
    if suppressed:
        return Skip("suppressed", f"The recipient is on the suppression list of {way.word}.")
    return await _bounded(due, way, policy, known) if needs_consent else None


async def _bounded(due: _Due, way: _Way, policy: ProjectPolicy, known: Mapping[str, object]) -> Skip | Postpone | None:
    """What quiet hours and caps say to a message; None: nothing against it."""
    settings = due.flow.settings
    there = zone(lookup(known, "visitor.time_zone"))
    loud = loud_at(due.now, way.word, there, [policy.quiet_hours, settings.quiet_hours])
    if loud is not None:
        return Postpone(loud, "quiet_hours", f"It is night for them; {until(loud)}.", fresh=True)
    if due.earlier is not None and due.earlier.status != "retry":
        return None  # it may be out, and is counted
    held_by = await over_a_cap(
        due.tx,
        due.run,
        due.flow,
        caps_for(way.word, policy.caps, settings.caps),
        action=due.send.step.action,
        channel=way.word,
        recipient=way.recipient,
        known=known,
        now=due.now,
    )
    if held_by is None:
        return None
    if held_by.outranked:
        return Skip("outranked", f"What is left of {held_by.words()} is for a flow of higher priority.")
    return Skip("capped", f"They got {held_by.words()} already.")


async def _flow_holds_out(due: _Due, composed: Composed | Done, known: Mapping[str, object]) -> bool:
    """Whether the flow's own holdout keeps this from them. ``known``: the facts, empty where nobody read them yet."""
    flow, run = due.flow, due.run
    if flow.settings.holdout <= 0 or run.visitor_id == NOBODY:
        return False
    is_message = isinstance(composed, Composed) and composed.needs_consent
    if not is_message and not due.around.holdout.is_of(due.send.step.action):
        return False
    known = known or await due.around.facts.facts(due.tx, run.project_id, run.visitor_id)
    _, devices = devices_of(known, run.visitor_id)
    met = await first_met(due.tx, run.project_id, run.flow_id, devices) or run.visitor_id
    salt = await salt_of(due.tx, run.project_id, run.flow_id)
    return held_out(flow.name, salt, flow.settings.holdout, met)


async def _no_room(tx: AsyncSession, project_id: UUID, channel: Channel) -> timedelta | None:
    """How long a channel's provider is sent no more; None: it takes this one."""
    rate = channel.rate
    if rate.per_second >= UNLIMITED.per_second:
        return None
    return await take(tx, project_id, _bucket(channel), per_second=rate.per_second, burst=rate.burst)


def _bucket(channel: Channel) -> str:
    return f"channel:{channel.id or channel.name}"


async def _written(due: _Due, composed: Composed, channel: Channel) -> Passed | Skip:
    written = await write_intent(due.tx, due.run, due.send, composed, channel, due.now)
    return Passed(written, channel) if isinstance(written, Delivery) else written
